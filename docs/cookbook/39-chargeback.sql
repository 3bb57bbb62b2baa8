-- What did each team spend for each tenant last month, with the total of the month in the last row?
with
    last_month as (
        select date_trunc('month', max(event_date) + 1) - interval 1 day as last_day
        from marts.cost_daily
        where is_complete
    )

select
    coalesce(tenant_id, '(all)') as tenant_id,
    coalesce(owner, '(all)') as owner,
    sum(requests) as requests,
    sum(cost_usd) as cost_usd,
    sum(unpriced_attempts) as unpriced
from marts.cost_daily, last_month
where event_date between date_trunc('month', last_day) and last_day and environment = 'prod' and data_mode = 'real'
group by grouping sets ((tenant_id, owner), ())
order by grouping(cost_daily.tenant_id), sum(cost_usd) desc nulls last
