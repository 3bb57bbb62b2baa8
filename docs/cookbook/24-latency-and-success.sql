-- How slow and how reliable was each endpoint in the last 7 complete days?
with last_day as (select max(event_date) as day from marts.data_quality_daily where is_complete and attempts > 0)

select
    endpoint_tag,
    count(*) as attempts,
    round(avg(case when status = 'success' then 1.0 else 0.0 end), 4) as success_ratio,
    count(*) filter (where status = 'error') as errors,
    cast(quantile_cont(latency_ms, 0.5) filter (where status = 'success') as bigint) as p50_ms,
    cast(quantile_cont(latency_ms, 0.95) filter (where status = 'success') as bigint) as p95_ms
from marts.fct_attempts, last_day
where event_date between day - 6 and day and environment = 'prod' and data_mode = 'real'
group by endpoint_tag
order by success_ratio, endpoint_tag
