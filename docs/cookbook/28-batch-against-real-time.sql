-- Batch against real time, in the last 28 complete days: how many calls, what did they cost, and what did batch save?
with last_day as (select max(event_date) as day from marts.cost_daily where is_complete)

select
    case when processing = 'batch' then 'batch' else 'real time' end as processed,
    sum(attempts) as calls,
    round(sum(cost_usd), 2) as cost_usd,
    round(
        1000 * cast(sum(cost_usd) as double) / (sum(attempts) - sum(unpriced_attempts) - sum(no_usage_attempts)), 3
    ) as usd_per_1000_priced_calls,
    round(sum(batch_savings_usd), 2) as batch_saved_usd,
    sum(unpriced_attempts) as unpriced
from marts.cost_daily, last_day
where event_date between day - 27 and day and environment = 'prod' and data_mode = 'real'
group by processed
order by processed
