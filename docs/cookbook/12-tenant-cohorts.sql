-- What did the tenants of each first month spend in that month and in each month after it?
with
    tenants as (
        select tenant_id, date_trunc('month', min(event_date)) as joined
        from marts.cost_by_tenant_daily
        where environment = 'prod' and data_mode = 'real' and tenant_id <> '(unattributed)'
        group by tenant_id
    )

select
    strftime(joined, '%Y-%m') as first_month,
    date_diff('month', joined, event_date) as months_later,
    count(distinct tenant_id) as tenants,
    count(distinct event_date) as days,
    round(sum(cost_usd), 2) as cost_usd,
    sum(unpriced_attempts) as unpriced
from marts.cost_by_tenant_daily
inner join tenants using (tenant_id)
where environment = 'prod' and data_mode = 'real'
group by first_month, months_later
order by first_month, months_later
