with
    changes as (select * from {{ ref("int_budget_transitions") }}),

    -- at a reset nothing is spent yet, and of the period's first quarter-hour only the limit is known
    states as (select * from {{ ref("int_budget_states") }}),

    periods as (select * from {{ ref("int_budget_periods") }}),

    limits as (select * from {{ ref("int_budgets") }})

select
    changes.budget_id,
    periods.period,
    changes.event_date as period_start,
    periods.period_end,
    changes.sequence,
    changes.from_state,
    changes.state as to_state,
    changes.cause,
    changes.quarter_at as changed_at,
    {{ local_time("changes.quarter_at", "periods.time_zone") }} as changed_at_local,
    periods.time_zone,
    limits.environments,
    limits.data_modes,
    {{ budget_scope("limits") }} as scope,
    case when changes.is_reset then 0 else states.spent_usd end as spent_usd,
    states.limit_usd,
    case when changes.is_reset then 0 else cast(states.spent_usd as double) end
    / nullif(cast(states.limit_usd as double), 0) as spent_ratio,
    case when not changes.is_reset then cast(states.projection_usd as decimal(38, 12)) end as projection_usd,
    case
        when not changes.is_reset then cast(states.naive_projection_usd as decimal(38, 12))
    end as naive_projection_usd,
    case when not changes.is_reset then states.burn_rate end as burn_rate,
    case when not changes.is_reset then states.is_burning_fast end as is_burning_fast,
    case when changes.is_reset then 0 else states.attempts end as attempts,
    limits.owner,
    limits.channel,
    limits.escalation_channel,
    limits.runbook_url,
    coalesce(
        changes.quarter_at >= limits.muted_from_at and coalesce(changes.quarter_at < limits.muted_until_at, true), false
    ) as is_muted
from changes
inner join periods on changes.budget_id = periods.budget_id and changes.event_date = periods.period_start
inner join
    states
    on changes.budget_id = states.budget_id
    and changes.event_date = states.event_date
    and changes.quarter_at = states.quarter_at
inner join
    limits
    on changes.budget_id = limits.budget_id
    and changes.quarter_at >= limits.valid_from_at
    and coalesce(changes.quarter_at < limits.valid_to_at, true)
