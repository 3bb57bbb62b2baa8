{{ kept_by_date("attempt_days") }}
-- When each sender made calls, by the hour: small, so that questions about silence
-- never scan the fact.
select
    event_date,
    source,
    environment,
    data_mode,
    date_trunc('hour', occurred_at) as hour_at,
    count(*) as attempts,
    min(occurred_at) as first_event_at,
    max(occurred_at) as last_event_at
from {{ ref("fct_attempts") }}
where {{ in_dates("event_date", dirty_dates()) }} and not is_future
group by event_date, source, environment, data_mode, date_trunc('hour', occurred_at)
