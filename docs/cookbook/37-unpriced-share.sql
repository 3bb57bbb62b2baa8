-- What share of the calls had no price, month by month, and what may they have cost?
select
    strftime(event_date, '%Y-%m') as month,
    count(distinct event_date) filter (where is_complete) as complete_days,
    sum(attempts) - sum(no_usage_attempts) as calls_with_usage,
    sum(unpriced_attempts) as unpriced,
    round(cast(unpriced as double) / calls_with_usage, 4) as unpriced_share,
    round(sum(cost_usd), 2) as cost_usd,
    round(sum(exposure_usd_low), 2) as exposure_low_usd,
    round(sum(exposure_usd), 2) as exposure_usd,
    round(sum(exposure_usd_high), 2) as exposure_high_usd
from marts.cost_daily
where environment = 'prod' and data_mode = 'real'
group by month
order by month
