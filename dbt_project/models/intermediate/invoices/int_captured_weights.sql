{{ config(materialized="view") }}
-- Whose the captured cost of each cell is, in whole numbers of its last digit.
{%- do ref("reconciled_days") %}
{%- set days = dirty_dates("allocated_cost") %}
{%- set dimensions = allocation_dimensions() %}
{%- set leaves = billed_leaves() %}
with
    costs as (
        select
            vendor,
            account,
            charge_date,
            cast(date_trunc('month', charge_date) as date) as billing_month,
            model,
            price_model_id,
            tier,
            {{ dimensions | join(", ") }},
            {% for name in leaves %} sum({{ name }}_cost_usd) as {{ name }}_cost_usd, {% endfor %}
            sum(other_cost_usd) as other_cost_usd
        from {{ ref("int_billable_usage") }}
        where pricing_status = 'priced' and {{ in_days_or_months("charge_date", days) }}
        group by all
    ),

    by_kind as (
        {% for name, leaf in (leaves | items | list) + [("other", "other")] %}
            select
                vendor,
                account,
                charge_date,
                billing_month,
                model,
                price_model_id,
                tier,
                {{ dimensions | join(", ") }},
                '{{ leaf }}' as leaf,
                {{ name }}_cost_usd as cost_usd
            from costs
            where {{ name }}_cost_usd > 0 {{ "union all" if not loop.last }}
        {% endfor %}
    ),

    placed as (
        select
            by_kind.vendor,
            by_kind.account,
            by_kind.billing_month,
            case when names.is_daily then by_kind.charge_date end as cell_date,
            names.cell_model as model,
            names.cell_leaf as leaf,
            names.cell_tier as tier,
            {% for dimension in dimensions %} by_kind.{{ dimension }}, {% endfor %}
            by_kind.cost_usd
        from by_kind
        inner join
            {{ ref("int_reconciled_names") }} as names
            on {{ is_named("by_kind") }}
            and by_kind.leaf = names.leaf
            and by_kind.charge_date <= names.covered_through
    )

select
    {{ cell_key() }} as cell_key,
    {{ dimensions | join(", ") }},
    {{ in_last_digits("cast(sum(cost_usd) as decimal(38, 12))") }} as digits
from placed
where {{ in_dates("coalesce(cell_date, billing_month)", days) }}
group by all
