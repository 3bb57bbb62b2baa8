-- Each landed export with what became of its items and amounts, and the sentence on
-- what looks wrong with it. Amounts are in USD where the export is.
with
    loads as (
        select content_hash as export_id, rows_in, rows_loaded, rows_rejected, rows_skipped, skips_by_reason, amounts
        from {{ ref("stg_loads") }}
        where source = 'invoices' and content_hash is not null
    ),

    items as (
        select
            export_id,
            cast(sum(rows_in) as bigint) as items,
            cast(sum(rows_loaded) as bigint) as lines,
            cast(sum(rows_rejected) as bigint) as rejected_items,
            cast(sum(coalesce({{ value_of("skips_by_reason", "'out_of_scope'") }}, 0)) as bigint) as out_of_scope_items,
            cast(
                sum(rows_skipped - coalesce({{ value_of("skips_by_reason", "'out_of_scope'") }}, 0)) as bigint
            ) as skipped_items
        from loads
        group by export_id
    ),

    amounts as (
        select
            export_id,
            substr(outcome_currency, length(outcome_currency) - 2) as currency,
            {% for outcome in ["loaded", "out_of_scope", "rejected", "skipped"] %}
                cast(
                    sum(case when outcome_currency like '{{ outcome }} %' then amount else 0 end) as decimal(38, 12)
                ) as {{ outcome }}_amount {{- "," if not loop.last }}
            {% endfor %}
        from (select export_id, {{ each_entry_of("amounts", "outcome_currency", "amount") }} from loads) as entries
        group by all
    ),

    money as (
        select
            export_id,
            case when count(*) = 1 then max(currency) end as currency,
            {% for outcome in ["loaded", "out_of_scope", "rejected", "skipped"] %}
                case when count(*) = 1 then max({{ outcome }}_amount) end as {{ outcome }}_amount
                {{- "," if not loop.last }}
            {% endfor %}
        from amounts
        group by export_id
    ),

    scopes as (
        select
            export_id,
            min(vendor) as vendor,
            min(account) as account,
            min(landing_file) as landing_file,
            min(arrival_date) as arrival_date,
            min(source_kind) as source_kind,
            string_agg(distinct grouping, '; ' order by grouping nulls last) as groupings,
            min(period_start) as period_start,
            max(period_end) as period_end,
            min(billing_month) as first_billing_month,
            max(billing_month) as last_billing_month,
            count(*) as periods,
            cast(sum(case when is_counted then 1 else 0 end) as bigint) as counted_periods,
            min(not_counted_because) as not_counted_because,
            bool_or(is_usage) as is_usage
        from {{ ref("int_invoice_scopes") }}
        group by export_id
    ),

    spent as (
        select
            export_id,
            cast(sum(billed_usd) as decimal(38, 12)) as billed_usd,
            cast(sum(case when is_counted then billed_usd end) as decimal(38, 12)) as counted_usd,
            cast(sum(case when billed_usd is null then 1 else 0 end) as bigint) as lines_without_fx_rate,
            max(case when billed_usd is null then currency end) as currency_without_fx_rate
        from {{ ref("int_invoice_lines") }}
        group by export_id
    )

select
    scopes.*,
    nullif(
        regexp_extract(
            replace(landing_file, 'dt=' || cast(arrival_date as string), ''), '(20[0-9]{2}-(0[1-9]|1[0-2]))', 1
        ),
        ''
    ) as named_month,
    items.items,
    items.lines,
    items.out_of_scope_items,
    items.skipped_items,
    items.rejected_items,
    money.currency,
    money.loaded_amount,
    money.out_of_scope_amount,
    money.skipped_amount,
    money.rejected_amount,
    spent.billed_usd,
    spent.counted_usd,
    coalesce(spent.lines_without_fx_rate, 0) as lines_without_fx_rate,
    spent.currency_without_fx_rate
from scopes
inner join items on scopes.export_id = items.export_id
left join money on scopes.export_id = money.export_id
left join spent on scopes.export_id = spent.export_id
