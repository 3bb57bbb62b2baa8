{{ config(meta={"dagster": {"ref": {"name": "budget_status"}}}) }}
-- Fails if a budget's usage is not what the fact costs in its scope, if those who spent
-- it do not add up to it, or if a period's spend is not what counts against the budget
-- in it: then a join lost or doubled something, or a period was not judged again.
-- depends_on: {{ ref("int_budget_usage") }}, {{ ref("int_budget_members") }}, {{ ref("int_budget_states") }}
{%- set dates = unverified_dates(["fct_attempts", "int_budget_usage", "int_budget_members"]) %}
{%- set starts = unverified_dates("int_budget_states") %}
with
    budgets as (
        select
            budget_id,
            environments,
            data_modes,
            {{ budget_scope_columns() | join(", ") }},
            min(valid_from_at) as valid_from_at,
            -- without an end, the last limit holds until the run
            least(max(coalesce(valid_to_at, {{ as_of() }})), {{ as_of() }}) as judged_until
        from {{ ref("int_budgets") }}
        group by budget_id, environments, data_modes, {{ budget_scope_columns() | join(", ") }}
    ),

    fact as (
        select
            event_date,
            environment,
            data_mode,
            {{ budget_scope_columns() | join(", ") }},
            count(*) as attempts,
            coalesce(sum(cost_usd), 0) as cost_usd
        from {{ ref("fct_attempts") }}
        where {{ in_dates("event_date", dates) }} and not is_future
        group by event_date, environment, data_mode, {{ budget_scope_columns() | join(", ") }}
    ),

    spent as (
        select budgets.budget_id, fact.event_date, sum(fact.attempts) as attempts, sum(fact.cost_usd) as expected_usd
        from fact
        inner join budgets on {{ in_budget("fact", "budgets") }}
        group by budgets.budget_id, fact.event_date
    ),

    used as (
        select budget_id, event_date, sum(attempts) as attempts, sum(cost_usd) as found_usd
        from {{ to_verify("int_budget_usage", dates) }} as usage
        group by budget_id, event_date
    ),

    members as (
        select budget_id, event_date, dimension, sum(cost_usd) as found_usd
        from {{ to_verify("int_budget_members", dates) }} as members
        group by budget_id, event_date, dimension
    ),

    -- what the scope itself fixes has no members
    of_members as (
        {% for dimension in budget_dimensions() %}
            select
                usage.budget_id,
                usage.event_date,
                '{{ dimension.name }}' as dimension,
                sum(usage.cost_usd) as expected_usd
            from {{ ref("int_budget_usage") }} as usage
            inner join budgets on usage.budget_id = budgets.budget_id and budgets.{{ dimension.column }} is null
            where {{ in_dates("usage.event_date", dates) }}
            group by usage.budget_id, usage.event_date
            union all
        {% endfor %}
        select budget_id, event_date, 'sender' as dimension, sum(cost_usd) as expected_usd
        from {{ ref("int_budget_usage") }}
        where {{ in_dates("event_date", dates) }}
        group by budget_id, event_date
    ),

    counted as (
        select
            periods.budget_id, periods.period_start as event_date, coalesce(sum(spending.cost_usd), 0) as expected_usd
        from {{ ref("int_budget_periods") }} as periods
        inner join budgets on periods.budget_id = budgets.budget_id
        left join
            {{ ref("int_budget_spending") }} as spending
            on periods.budget_id = spending.budget_id
            and spending.quarter_at >= periods.starts_at
            and spending.quarter_at < least(periods.ends_at, budgets.judged_until)
        where
            {{ in_dates("periods.period_start", starts) }}
            and greatest(periods.starts_at, budgets.valid_from_at) < budgets.judged_until
        group by periods.budget_id, periods.period_start
    ),

    judged as (
        select budget_id, period_start as event_date, spent_usd as found_usd
        from {{ ref("budget_status") }}
        where {{ in_dates("period_start", starts) }}
    )

select 'usage' as what, budget_id, event_date, spent.expected_usd, used.found_usd
from spent
full join used using (budget_id, event_date)
where spent.expected_usd is distinct from used.found_usd or spent.attempts is distinct from used.attempts
union all
select dimension, budget_id, event_date, of_members.expected_usd, members.found_usd
from of_members
full join members using (budget_id, event_date, dimension)
where of_members.expected_usd is distinct from members.found_usd
union all
select 'period', budget_id, event_date, counted.expected_usd, judged.found_usd
from counted
full join judged using (budget_id, event_date)
where counted.expected_usd is distinct from judged.found_usd
