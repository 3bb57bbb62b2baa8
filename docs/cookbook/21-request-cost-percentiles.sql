-- What does a request cost by endpoint: the median and the 95th percentile of the last 28 complete days?
with last_day as (select max(event_date) as day from marts.cost_by_endpoint_daily where is_complete)

select
    endpoint_tag,
    count(cost_usd) as priced_requests,
    round(quantile_cont(cast(cost_usd as double), 0.5), 6) as p50_usd,
    round(quantile_cont(cast(cost_usd as double), 0.95), 6) as p95_usd,
    round(max(cost_usd), 4) as max_usd
from marts.fct_requests, last_day
where event_date between day - 27 and day and environment = 'prod' and data_mode = 'real'
group by endpoint_tag
order by p95_usd desc nulls last
