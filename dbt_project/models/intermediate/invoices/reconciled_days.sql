-- The input of a day's allocation and evidence: its cells, the lines and requests on
-- the bill, and its calls by the days of both clocks, with the cells that they belong
-- to. What a bill has for the whole month is of the month's first day.
{%- set cells = ["cell_key", "billed_usd", "spread_usd"] %}
{%- for bucket in difference_buckets() %} {%- do cells.append(bucket ~ "_usd") %} {%- endfor %}
with
    usage as (
        select distinct event_date, charge_date, vendor, account, model, price_model_id, tier
        from {{ ref("int_billable_usage") }}
    ),

    days as (
        select event_date as day, *
        from usage
        union
        select charge_date, *
        from usage
    ),

    placed as (
        select
            case when names.is_daily then days.day else names.billing_month end as event_date,
            days.event_date as read_date,
            {{
                fingerprint_of(
                    [
                        "names.vendor",
                        "names.account",
                        "names.model",
                        "names.price_model_id",
                        "names.tier",
                        "names.leaf",
                        "names.cell_model",
                        "names.cell_leaf",
                        "names.cell_tier",
                    ]
                )
            }} as name_fingerprint
        from days
        inner join
            {{ ref("int_reconciled_names") }} as names
            on {{ is_named("days", "cast(date_trunc('month', days.day) as date)") }}
    ),

    rows_of_days as (
        select
            coalesce(cell_date, billing_month) as event_date,
            vendor,
            account,
            {{ fingerprint_of(cells) }} as row_fingerprint
        from {{ ref("int_reconciliation_cells") }}
        union all
        select coalesce(cell_date, billing_month), vendor, account, row_fingerprint
        from {{ ref("int_billed_lines") }}
        union all
        select coalesce(cell_date, billing_month), vendor, account, row_fingerprint
        from {{ ref("int_billed_requests") }}
    ),

    inputs as (
        select event_date, md5(string_agg(row_fingerprint, ',' order by row_fingerprint nulls last)) as input
        from rows_of_days
        group by event_date, vendor, account
        union all
        select event_date, md5(string_agg(distinct name_fingerprint, ',' order by name_fingerprint nulls last))
        from placed
        group by event_date
        union all
        select distinct placed.event_date, concat_ws(' ', placed.read_date, days.input_fingerprint)
        from placed
        inner join {{ ref("billable_days") }} as days on placed.read_date = days.event_date
    )

select event_date, md5(string_agg(input, ',' order by input nulls last)) as input_fingerprint
from inputs
where event_date in (select coalesce(cell_date, billing_month) from {{ ref("int_reconciliation_cells") }})
group by event_date
