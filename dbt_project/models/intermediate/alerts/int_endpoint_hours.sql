{{ kept_by_date("attempt_days") }}
select
    event_date,
    environment,
    data_mode,
    endpoint_tag,
    cast(extract(hour from occurred_at) as integer) as hour_of_day,
    count(*) as attempts,
    cast(sum(case when status = 'success' then 1 else 0 end) as bigint) as successes,
    cast(coalesce(sum(cost_usd), 0) as decimal(38, 12)) as cost_usd
from {{ ref("fct_attempts") }}
where {{ in_dates("event_date", dirty_dates()) }} and not is_future
group by event_date, environment, data_mode, endpoint_tag, extract(hour from occurred_at)
