-- What does each hour of the day cost in my time zone (here Europe/Berlin), on average of the last 28 complete days?
with last_day as (select max(event_date) as day from marts.cost_by_endpoint_daily where is_complete)

select
    extract('hour' from occurred_at at time zone 'UTC' at time zone 'Europe/Berlin') as local_hour,
    round(count(*) filter (where is_first_try) / 28, 1) as requests_per_day,
    round(cast(sum(cost_usd) as double) / 28, 3) as usd_per_day,
    count(*) filter (where pricing_status = 'unpriced') as unpriced
from marts.fct_attempts, last_day
where event_date between day - 27 and day and environment = 'prod' and data_mode = 'real'
group by local_hour
order by local_hour
