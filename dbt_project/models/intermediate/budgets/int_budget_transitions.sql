-- The changes within periods, and the resets between them: a period starts afresh, whatever the one before ended in.
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
    )

select
    changes.*,
    cast(
        row_number() over (
            partition by changes.budget_id, changes.event_date
            order by changes.quarter_at, case when changes.is_reset then 0 else 1 end
        ) as integer
    ) as sequence
from changes
