-- What did the endpoints of each team cost in the last 28 complete days, and what does nobody own?
with last_day as (select max(event_date) as day from marts.cost_daily where is_complete)

select
    owner,
    count(distinct endpoint_tag) as endpoints,
    sum(requests) as requests,
    round(sum(cost_usd), 2) as cost_usd,
    round(cast(sum(cost_usd) as double) / sum(sum(cast(cost_usd as double))) over (), 4) as share,
    sum(unpriced_attempts) as unpriced
from marts.cost_daily, last_day
where event_date between day - 27 and day and environment = 'prod' and data_mode = 'real'
group by owner
order by sum(cost_usd) desc nulls last
