-- Which tenants cost most in the last 7 complete days, and how does that compare with the 7 days before?
with
    last_day as (select max(event_date) as day from marts.data_quality_daily where is_complete and attempts > 0),

    tenants as (
        select
            tenant_id,
            sum(cost_usd) filter (where event_date > day - 7) as this_week_usd,
            sum(cost_usd) filter (where event_date <= day - 7) as week_before_usd,
            sum(unpriced_attempts) as unpriced
        from marts.cost_by_tenant_daily, last_day
        where event_date between day - 13 and day and environment = 'prod' and data_mode = 'real'
        group by tenant_id
    )

select
    tenant_id,
    round(this_week_usd, 2) as this_week_usd,
    round(week_before_usd, 2) as week_before_usd,
    round(this_week_usd - week_before_usd, 2) as delta_usd,
    round(cast(this_week_usd as double) / nullif(cast(week_before_usd as double), 0) - 1, 3) as change,
    unpriced
from tenants
order by tenants.this_week_usd desc nulls last
