-- Which endpoints cost most in the last 7 complete days, who owns them, and what share is each?
with
    last_day as (select max(event_date) as day from marts.data_quality_daily where is_complete and attempts > 0),

    endpoints as (
        select endpoint_tag, sum(requests) as requests, sum(cost_usd) as cost_usd, sum(unpriced_attempts) as unpriced
        from marts.cost_by_endpoint_daily, last_day
        where event_date between day - 6 and day and environment = 'prod' and data_mode = 'real'
        group by endpoint_tag
    )

select
    endpoint_tag,
    owner,
    endpoints.requests,
    round(endpoints.cost_usd, 2) as cost_usd,
    round(cast(endpoints.cost_usd as double) / sum(cast(endpoints.cost_usd as double)) over (), 3) as share,
    unpriced
from endpoints
left join marts.dim_endpoints using (endpoint_tag)
order by endpoints.cost_usd desc nulls last
