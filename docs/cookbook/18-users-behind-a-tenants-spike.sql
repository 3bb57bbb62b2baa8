-- Tenant oscorp cost several times its usual on 18 and 19 November: which users caused it?
with
    users as (
        select
            user_id,
            sum(requests) filter (where event_date >= date '2026-11-18') as requests,
            sum(cost_usd) filter (where event_date >= date '2026-11-18') as cost_usd,
            sum(requests) filter (where event_date < date '2026-11-18') as requests_before,
            sum(cost_usd) filter (where event_date < date '2026-11-18') as cost_before_usd
        from marts.cost_by_user_daily
        where
            tenant_id = 'oscorp'
            -- the same weekdays
            and event_date in (date '2026-11-11', date '2026-11-12', date '2026-11-18', date '2026-11-19')
            and environment = 'prod'
            and data_mode = 'real'
        group by user_id
    )

select
    user_id,
    requests,
    round(cost_usd, 2) as cost_usd,
    requests_before,
    round(cost_before_usd, 2) as cost_before_usd,
    round(cast(cost_usd as double) / sum(cast(cost_usd as double)) over (), 3) as share
from users
order by users.cost_usd desc nulls last
