-- What has each provider, region and billing account cost this month?
with last_day as (select max(event_date) as day from marts.cost_daily where is_complete)

select
    provider,
    region,
    billing_account_id,
    sum(attempts) as attempts,
    round(sum(cost_usd), 2) as cost_usd,
    sum(unpriced_attempts) as unpriced
from marts.cost_daily, last_day
where event_date between date_trunc('month', day) and day and environment = 'prod' and data_mode = 'real'
group by provider, region, billing_account_id
order by sum(cost_usd) desc nulls last, provider, region, billing_account_id
