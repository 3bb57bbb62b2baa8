{{ config(materialized="view") }}
-- The pauses that are silences: those that are over as well, so that what is missing
-- from a past week does not depend on when it is asked.
select
    {{ sender_columns() }},
    last_event_at as silent_since,
    returned_at,
    case
        when returned_at is not null
        then 'returned'
        when pause_hours >= {{ 24 * silence_parameter("ended_days") }}
        then 'ended'
        else 'silent'
    end as status,
    hour_number,
    pause_hours,
    weeks,
    missing_calls
from {{ ref("int_judged_pauses") }}
where due_hours >= silent_after_hours
