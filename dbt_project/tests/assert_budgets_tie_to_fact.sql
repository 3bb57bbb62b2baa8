{{ config(meta={"dagster": {"ref": {"name": "budget_status"}}}) }}
-- Fails if the usage of a budget on a date is not what the fact has in its scope, or its members do not add up to it.
-- Then spend is lost, or counted in two quarter-hours or members.
-- depends_on: {{ ref("budget_status") }}
{%- set dates = unverified_dates("int_budget_usage") %}
with
    budgets as (
        select distinct budget_id, environments, data_modes, {{ budget_scope_columns() | join(", ") }}
        from {{ ref("int_budgets") }}
    ),

    attempts as (
        select budgets.budget_id, fact.event_date, sum(fact.cost_usd) as cost_usd, count(*) as attempts
        from {{ ref("fct_attempts") }} as fact
        inner join budgets on {{ in_budget("fact", "budgets") }}
        where {{ in_dates("fact.event_date", dates) }} and not fact.is_future
        group by budgets.budget_id, fact.event_date
    ),

    usage as (
        select budget_id, event_date, sum(cost_usd) as cost_usd, sum(attempts) as attempts
        from {{ ref("int_budget_usage") }}
        where {{ in_dates("event_date", dates) }}
        group by budget_id, event_date
    ),

    members as (
        select budget_id, event_date, dimension, sum(cost_usd) as cost_usd
        from {{ ref("int_budget_members") }}
        where {{ in_dates("event_date", dates) }}
        group by budget_id, event_date, dimension
    )

select budget_id, event_date, 'usage' as what, coalesce(attempts.cost_usd, 0) as fact_usd, usage.cost_usd as budget_usd
from attempts
full join usage using (budget_id, event_date)
where
    coalesce(attempts.cost_usd, 0) is distinct from usage.cost_usd or attempts.attempts is distinct from usage.attempts

union all

select budget_id, event_date, members.dimension as what, usage.cost_usd as fact_usd, members.cost_usd as budget_usd
from members
inner join usage using (budget_id, event_date)
where members.cost_usd is distinct from usage.cost_usd
