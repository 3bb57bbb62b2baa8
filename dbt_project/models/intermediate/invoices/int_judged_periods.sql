{{ config(materialized="view") }}
-- Days and months, judged: is the difference within what the team accepts, what
-- explains most of it, and what to do next. Taxes, fees, credits, discounts,
-- corrections and exchange rates are agreed upon elsewhere: what is judged is the
-- variance of usage.
{%- set agreed = ["tax", "fee", "credit", "discount", "prior_period", "currency"] %}
{%- set explained = difference_buckets()[agreed | length :] %}
{%- set whole = "over (partition by varied.period, varied.vendor, varied.account, varied.period_start)" %}
with
    periods as (select * from {{ ref("int_reconciled_periods") }}),

    accounts as (select * from {{ ref("int_vendor_accounts") }}),

    varied as (
        select
            {{ cell_key() }} as reconciliation_key,
            *,
            difference_usd
            {% for bucket in agreed %} - {{ bucket }}_usd {% endfor %} as usage_variance_usd,
            greatest(
                {% for bucket in explained %}abs({{ bucket }}_usd) {{- ", " if not loop.last }} {% endfor %}
            ) as main_usd,
            bool_or(captured_quantity > 0) over (partition by vendor, account, billing_month, model) as is_model_known
        from periods
    ),

    whole as (
        select
            varied.*,
            case
                when main_usd > 0
                then
                    case
                        main_usd
                        {% for bucket in explained %} when abs({{ bucket }}_usd) then '{{ bucket }}' {% endfor %}
                    end
            end as main_bucket,
            sum(usage_variance_usd) {{ whole }} as account_variance_usd,
            sum(unexplained_usd) {{ whole }} as account_unexplained_usd,
            sum(billed_usage_usd) {{ whole }} as account_usage_usd,
            sum(provisional_lines) {{ whole }} as account_provisional_lines,
            sum(lines_without_rate) {{ whole }} as account_lines_without_rate,
            bool_and(is_covered) {{ whole }} as is_account_covered,
            accounts.tolerance_owner,
            case
                period when 'day' then accounts.day_tolerance_share else accounts.month_tolerance_share
            end as tolerance_share,
            cast(
                case period when 'day' then accounts.day_tolerance_usd else accounts.month_tolerance_usd end as decimal(
                    38, 12
                )
            ) as least_tolerance_usd,
            -- when the vendor is late with what it says of the period
            {{
                dbt.dateadd(
                    "day",
                    "case period when 'day' then accounts.export_delay_days else accounts.invoice_delay_days end",
                    "period_end",
                )
            }} as expected_by
        from varied
        left join accounts on varied.vendor = accounts.vendor and varied.account = accounts.account
    ),

    tolerated as (
        select
            *,
            {% for name, usage in {
                "tolerance_usd": "billed_usage_usd",
                "account_tolerance_usd": "account_usage_usd",
            }.items() %}
                greatest(
                    least_tolerance_usd,
                    cast(
                        cast(tolerance_share as decimal(9, 6))
                        * cast(abs(coalesce({{ usage }}, 0)) as decimal(28, 6)) as decimal(38, 12)
                    )
                ) as {{ name }},
            {% endfor %}
            case when expected_by > {{ as_of() }} then 'not_billed_yet' else 'late' end as status_without_bill
        from whole
    )

select
    *,
    case
        when not is_covered
        then status_without_bill
        when lines_without_rate > 0
        then 'no_rate'
        when abs(usage_variance_usd) <= tolerance_usd and abs(unexplained_usd) <= tolerance_usd
        then 'within'
        when provisional_lines > 0
        then 'provisional'
        else 'outside'
    end as status,
    case
        when account_lines_without_rate > 0
        then 'no_rate'
        when not is_account_covered
        then status_without_bill
        when
            abs(account_variance_usd) <= account_tolerance_usd and abs(account_unexplained_usd) <= account_tolerance_usd
        then 'within'
        when account_provisional_lines > 0
        then 'provisional'
        else 'outside'
    end as account_status,
    case
        when billed_usage_usd > 0 then cast(clocked_usd as double) / cast(billed_usage_usd as double)
    end as coverage_ratio,
    case
        when billed_quantity > 0 then cast(captured_quantity as double) / cast(billed_quantity as double)
    end as captured_ratio
from tolerated
