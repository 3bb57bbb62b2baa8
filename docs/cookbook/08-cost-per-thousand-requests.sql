-- What do a thousand requests cost, week by week since the beginning?
select
    cast(date_trunc('week', event_date) as date) as week_from,
    count(distinct event_date) filter (where is_complete) as complete_days,
    sum(requests) as requests,
    round(sum(cost_usd), 2) as cost_usd,
    round(1000 * cast(sum(cost_usd) as double) / sum(requests), 3) as usd_per_1000_requests,
    sum(unpriced_attempts) as unpriced
from marts.cost_by_endpoint_daily
where environment = 'prod' and data_mode = 'real'
group by week_from
order by week_from
