{{ config(materialized="view") }}
-- From when until when each state held, in local time. What was muted counts from the
-- end of the mute.
with limits as (select * from {{ ref("int_budgets") }})

select
    changes.budget_id,
    changes.period_start,
    changes.to_state as state,
    case
        when changes.is_muted
        then {{ local_time("limits.muted_until_at", "changes.time_zone") }}
        else changes.changed_at_local
    end as held_from,
    lead(changes.changed_at_local, 1, cast(changes.period_end as timestamp)) over (
        partition by changes.budget_id, changes.period_start order by changes.sequence
    ) as held_until
from {{ ref("int_budget_transitions") }} as changes
inner join
    limits
    on changes.budget_id = limits.budget_id
    and changes.changed_at >= limits.valid_from_at
    and coalesce(changes.changed_at < limits.valid_to_at, true)
