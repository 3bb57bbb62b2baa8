-- What does each endpoint usually cost on each weekday (the median of the last 8 weeks)?
with last_day as (select max(event_date) as day from marts.cost_by_endpoint_daily where is_complete)

select
    endpoint_tag,
    round(median(cost_usd) filter (where isodow(event_date) = 1), 2) as monday,
    round(median(cost_usd) filter (where isodow(event_date) = 2), 2) as tuesday,
    round(median(cost_usd) filter (where isodow(event_date) = 3), 2) as wednesday,
    round(median(cost_usd) filter (where isodow(event_date) = 4), 2) as thursday,
    round(median(cost_usd) filter (where isodow(event_date) = 5), 2) as friday,
    round(median(cost_usd) filter (where isodow(event_date) = 6), 2) as saturday,
    round(median(cost_usd) filter (where isodow(event_date) = 7), 2) as sunday
from marts.cost_by_endpoint_daily, last_day
where event_date between day - 55 and day and environment = 'prod' and data_mode = 'real'
group by endpoint_tag
order by sum(cost_usd) desc nulls last
