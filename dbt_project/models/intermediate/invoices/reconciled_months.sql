-- The input of a month's comparison: the lines that are billed for it and how far they
-- reach, requests that were matched one by one, what usage reports count, its calls by
-- the days of both clocks with their prices, and until when a bill is not late.
with
    lines as (select * from {{ ref("int_billed_lines") }}),

    requests as (select * from {{ ref("int_billed_requests") }}),

    reported as (
        select *, {{ fingerprint_of(["model", "leaf", "processing", "service_tier", "quantity"]) }} as row_fingerprint
        from {{ ref("int_provider_usage_lines") }}
        where is_counted
    ),

    usage as (select distinct event_date, charge_date, price_row_key from {{ ref("int_billable_usage") }}),

    calls as (
        select cast(date_trunc('month', event_date) as date) as billing_month, event_date, price_row_key
        from usage
        union
        select cast(date_trunc('month', charge_date) as date), event_date, price_row_key
        from usage
    ),

    inputs as (
        {%- for relation, month, day in [
            ("lines", "billing_month", "cell_date"),
            ("requests", "billing_month", "cell_date"),
            ("requests", "cast(date_trunc('month', event_date) as date)", "event_date"),
            ("reported", "billing_month", "charge_date"),
        ] %}
            select
                {{ month }} as billing_month,
                concat_ws(
                    ' ',
                    '{{ relation }}',
                    vendor,
                    account,
                    {{ day }},
                    md5(string_agg(row_fingerprint, ',' order by row_fingerprint nulls last))
                ) as input
            from {{ relation }}
            where {{ month }} is not null
            group by vendor, account, {{ month }}, {{ day }}
            union all
        {%- endfor %}
        select
            billing_month,
            {{ fingerprint_of(["vendor", "account", "has_models", "has_leaves", "is_daily", "covered_through"]) }}
        from {{ ref("int_billed_months") }}
        union all
        select distinct calls.billing_month, concat_ws(' ', calls.event_date, days.input_fingerprint)
        from calls
        inner join {{ ref("billable_days") }} as days on calls.event_date = days.event_date
        union all
        select distinct
            calls.billing_month, concat_ws(' ', prices.price_row_key, prices.approved_by, prices.adjustments)
        from calls
        inner join {{ ref("int_price_book") }} as prices on calls.price_row_key = prices.price_row_key
    ),

    months as (
        select billing_month, md5(string_agg(input, ',' order by input nulls last)) as input_fingerprint
        from inputs
        group by billing_month
    ),

    accounts as (
        select
            max(greatest(export_delay_days, invoice_delay_days)) as longest_delay_days,
            md5(
                string_agg(
                    {{
                        fingerprint_of(
                            [
                                "vendor",
                                "account",
                                "day_tolerance_share",
                                "day_tolerance_usd",
                                "month_tolerance_share",
                                "month_tolerance_usd",
                                "tolerance_owner",
                                "export_delay_days",
                                "invoice_delay_days",
                            ]
                        )
                    }},
                    ','
                    order by vendor nulls last, account nulls last
                )
            ) as accounts_fingerprint
        from {{ ref("int_vendor_accounts") }}
    )

select
    months.billing_month as event_date,
    md5(
        concat_ws(
            '|',
            months.input_fingerprint,
            accounts.accounts_fingerprint,
            least(
                cast({{ as_of() }} as date),
                cast(
                    {{ dbt.dateadd("day", "accounts.longest_delay_days", "months.billing_month + interval 1 month") }}
                    as date
                )
            )
        )
    ) as input_fingerprint
from months
cross join accounts
