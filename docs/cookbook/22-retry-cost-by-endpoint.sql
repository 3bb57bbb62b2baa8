-- What did retries cost in the last 14 complete days, by endpoint?
with last_day as (select max(event_date) as day from marts.cost_by_endpoint_daily where is_complete)

select
    endpoint_tag,
    sum(requests) as requests,
    sum(attempts) - sum(requests) as retries,
    sum(errors) as errors,
    round(sum(retry_cost_usd), 2) as retry_cost_usd,
    round(cast(sum(retry_cost_usd) as double) / nullif(cast(sum(cost_usd) as double), 0), 3) as share_of_cost,
    sum(no_usage_attempts) as no_usage
from marts.cost_by_endpoint_daily, last_day
where event_date between day - 13 and day and environment = 'prod' and data_mode = 'real'
group by endpoint_tag
order by sum(retry_cost_usd) desc nulls last, endpoint_tag
