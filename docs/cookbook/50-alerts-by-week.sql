-- How many alerts were there by week and spike type, and how much did they cost above what was expected?
select
    cast(date_trunc('week', alert_date) as date) as week_from,
    spike_type,
    count(*) as alerts,
    sum(days) as days,
    round(sum(total_excess_usd), 2) as total_excess_usd,
    count(*) filter (where status in ('open', 'extended')) as still_open
from marts.alerts
where environment = 'prod' and data_mode = 'real'
group by week_from, spike_type
order by week_from desc, sum(alerts.total_excess_usd) desc
