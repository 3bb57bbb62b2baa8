-- The state of each incident at the end of each week since it was opened, from the
-- events up to then.
with
    weeks as (select week_start, week_end from {{ ref("int_weeks") }}),

    known as (
        select weeks.week_start, events.*
        from {{ ref("int_incident_events") }} as events
        inner join weeks on events.occurred_at < weeks.week_end
        where events.is_applied
    ),

    states as ({{ incident_states("known", "week_start, incident_id") }})

select *
from states
where opened_at is not null
