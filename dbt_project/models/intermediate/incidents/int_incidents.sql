-- What each incident is now.
{{ incident_states("(select * from " ~ ref("int_incident_events") ~ " where is_applied) as events", "incident_id") }}
