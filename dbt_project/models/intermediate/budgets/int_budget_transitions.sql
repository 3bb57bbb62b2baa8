-- The changes within periods, and the resets between them: a period starts at ok,
-- whatever state the one before ended in.
with
    states as (select * from {{ ref("int_budget_states") }}),

    periods as (select * from {{ ref("int_budget_periods") }}),

    resets as (
        select
            periods.period_start as event_date,
            periods.budget_id,
            periods.starts_at as quarter_at,
            'reset' as cause,
            true as is_reset,
            ended.state as from_state,
            'ok' as state
        from periods
        inner join
            periods as earlier on periods.budget_id = earlier.budget_id and periods.period_start = earlier.period_end
        inner join
            states as ended
            on earlier.budget_id = ended.budget_id
            and earlier.period_start = ended.event_date
            and ended.is_last
        where
            ended.state <> 'ok'
            and exists (
                select 1
                from states
                where states.budget_id = periods.budget_id and states.quarter_at = periods.starts_at and states.is_first
            )
    ),

    changes as (
        select event_date, budget_id, quarter_at, cause, false as is_reset, from_state, state
        from states
        where is_change
        union all
        select event_date, budget_id, quarter_at, cause, is_reset, from_state, state
        from resets
    ),

    limits as (select * from {{ ref("int_budgets") }})

-- at a reset nothing is spent yet, and of the period's first quarter-hour only the
-- limit is known
select
    changes.budget_id,
    periods.period,
    changes.event_date as period_start,
    periods.period_end,
    cast(
        row_number() over (
            partition by changes.budget_id, changes.event_date
            order by changes.quarter_at, case when changes.is_reset then 0 else 1 end
        ) as integer
    ) as sequence,
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
