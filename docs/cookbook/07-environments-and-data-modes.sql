-- What do staging, dev, test and demo traffic cost, compared with production?
select
    environment,
    data_mode,
    sum(requests) as requests,
    round(sum(cost_usd), 2) as cost_usd,
    round(cast(sum(cost_usd) as double) / sum(requests), 5) as usd_per_request,
    round(cast(sum(cost_usd) as double) / sum(sum(cast(cost_usd as double))) over (), 3) as share
from marts.cost_by_endpoint_daily
group by environment, data_mode
order by sum(cost_usd) desc
