{{ config(materialized="view") }}
-- Days, and months as the sums of their days and of what a bill has for the whole
-- month. What no bill has reached yet has no difference.
{%- do ref("reconciled_months") %}
{%- set of_months = in_dates("event_date", dirty_dates("int_reconciliation")) %}
{%- set buckets = difference_buckets() %}
{%- set amounts = ["ours_usd", "clocked_usd"] %}
{%- set billed = ["billed_usd", "compared_usd", "billed_usage_usd"] %}
{%- set billed_amounts = billed + ["difference_usd"] %}
{%- for bucket in buckets %} {%- do billed_amounts.append(bucket ~ "_usd") %} {%- endfor %}
with
    cells as (
        select
            vendor,
            account,
            billing_month,
            cell_date,
            model,
            leaf,
            tier,
            true as is_covered,
            currency,
            lines,
            provisional_lines,
            lines_without_rate,
            captured_quantity,
            billed_quantity,
            {% for amount in amounts + billed_amounts %} {{ amount }} {{- "," if not loop.last }} {% endfor %}
        from {{ ref("int_reconciliation_cells") }}
        where {{ of_months }}
        union all
        select
            vendor,
            account,
            billing_month,
            cell_date,
            model,
            leaf,
            tier,
            false,
            null,
            0,
            0,
            0,
            quantity,
            null,
            ours_usd,
            clocked_usd,
            {% for amount in billed_amounts %} null {{- "," if not loop.last }} {% endfor %}
        from {{ ref("int_compared_cells") }}
        where not is_covered and {{ of_months }}
    ),

    periods as (
        select 'day' as period, cell_date as period_start, cell_date + interval 1 day as period_end, *
        from cells
        where cell_date is not null
        union all
        select 'month', billing_month, billing_month + interval 1 month, *
        from cells
    )

select
    period,
    period_start,
    period_end,
    vendor,
    account,
    billing_month,
    case when period = 'day' then cell_date end as cell_date,
    model,
    leaf,
    tier,
    is_covered,
    max(currency) as currency,
    {% for count in ["lines", "provisional_lines", "lines_without_rate"] %}
        cast(sum({{ count }}) as bigint) as {{ count }},
    {% endfor %}
    cast(sum(captured_quantity) as decimal(38, 6)) as captured_quantity,
    cast(
        case when count(billed_quantity) = count(*) then sum(billed_quantity) end as decimal(38, 6)
    ) as billed_quantity,
    {% for amount in amounts %} cast(sum({{ amount }}) as decimal(38, 12)) as {{ amount }}, {% endfor %}
    -- lines without an exchange rate are not in what is billed, and then by how much it
    -- differs is not known
    {% for amount in billed_amounts %}
        cast(
            case
                when sum(lines_without_rate) = 0 {{- " or sum(lines_without_rate) < sum(lines)" if amount in billed }}
                then sum({{ amount }})
            end as decimal(38, 12)
        ) as {{ amount }} {{- "," if not loop.last }}
    {% endfor %}
from periods
group by all
