-- What did retries cost in the last 14 complete days, by endpoint?
with
    last_day as (select max(event_date) as day from marts.data_quality_daily where is_complete and attempts > 0),

    endpoints as (
        select
            endpoint_tag,
            sum(requests) as requests,
            sum(attempts) as attempts,
            sum(errors) as errors,
            sum(retry_cost_usd) as retry_cost_usd,
            sum(cost_usd) as cost_usd,
            sum(no_usage_attempts) as no_usage
        from marts.cost_by_endpoint_daily, last_day
        where event_date between day - 13 and day and environment = 'prod' and data_mode = 'real'
        group by endpoint_tag
    )

select
    endpoint_tag,
    requests,
    attempts - requests as retries,
    errors,
    round(retry_cost_usd, 2) as retry_cost_usd,
    round(cast(retry_cost_usd as double) / cast(cost_usd as double), 3) as share_of_cost,
    no_usage
from endpoints
order by endpoints.retry_cost_usd desc nulls last
