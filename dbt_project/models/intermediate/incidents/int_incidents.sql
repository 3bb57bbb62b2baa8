-- The state of each incident now, from the events that count.
with
    events as (select * from {{ ref("int_incident_events") }} where is_applied),

    states as ({{ incident_states("events", "incident_id") }})

select *
from states
