-- Is the data fresh, by source and environment, and how much is still on its way?
select
    source,
    environment,
    status,
    last_event_at,
    round(hours_since_last_event, 1) as hours_since_last_event,
    expected_delay_hours,
    round(usual_calls_per_hour, 1) as usual_calls_per_hour,
    round(calls_on_their_way, 1) as calls_on_their_way,
    round(missing_calls, 1) as missing_calls
from marts.source_freshness
where data_mode = 'real'
order by is_silent desc, source, environment
