{{ kept_by_date("costed_usage_days") }}
-- Who spends a budget, by local date. Members that are small on a date are grouped as
-- one, so that sums still tie.
with
    usage as ({{ quarter_hour_usage(dirty_dates()) }}),

    scopes as (
        select distinct budget_id, time_zone, environments, data_modes, {{ budget_scope_columns() | join(", ") }}
        from {{ ref("int_budgets") }}
    ),

    spent as (
        select
            usage.*,
            scopes.budget_id,
            {% for dimension in budget_dimensions() %}
                scopes.{{ dimension.column }} is not null as is_one_{{ dimension.name }},
            {% endfor %}
            cast({{ local_time("usage.quarter_at", "scopes.time_zone") }} as date) as local_date
        from usage
        inner join scopes on {{ in_budget("usage", "scopes") }}
    ),

    members as (
        -- a dimension that the scope fixes cannot be a driver
        {% for dimension in budget_dimensions() %}
            select
                event_date,
                budget_id,
                local_date,
                '{{ dimension.name }}' as dimension,
                {{ dimension.column }} as member,
                sum(cost_usd) as cost_usd
            from spent
            where not is_one_{{ dimension.name }}
            group by event_date, budget_id, local_date, {{ dimension.column }}
            union all
        {% endfor %}
        -- who sends a budget's usage: what the budget waits for when one falls silent
        select event_date, budget_id, local_date, 'sender' as dimension, {{ sender_name() }} as member, sum(cost_usd)
        from spent
        group by event_date, budget_id, local_date, {{ sender_name() }}
    ),

    sized as (
        select
            *,
            cast(cost_usd as double)
            >= {{ budget_least_member_share() }}
            * cast(sum(cost_usd) over (partition by event_date, budget_id, local_date, dimension) as double) as is_large
        from members
    )

select
    event_date,
    budget_id,
    local_date,
    dimension,
    case when is_large then member else '(other)' end as member,
    cast(sum(cost_usd) as decimal(38, 12)) as cost_usd
from sized
group by event_date, budget_id, local_date, dimension, case when is_large then member else '(other)' end
