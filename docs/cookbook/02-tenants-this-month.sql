-- What has each tenant cost this month, against the same days of last month?
with last_day as (select max(event_date) as day from marts.cost_by_tenant_daily where is_complete)

select
    tenant_id,
    round(sum(cost_usd) filter (where event_date >= date_trunc('month', day)), 2) as this_month_usd,
    round(sum(cost_usd) filter (where event_date < date_trunc('month', day)), 2) as last_month_usd,
    round(this_month_usd - last_month_usd, 2) as change_usd,
    sum(unpriced_attempts) as unpriced
from marts.cost_by_tenant_daily, last_day
where
    event_date between date_trunc('month', day) - interval 1 month and day
    and extract('day' from event_date) <= extract('day' from day)
    and environment = 'prod'
    and data_mode = 'real'
group by tenant_id
order by this_month_usd desc nulls last
