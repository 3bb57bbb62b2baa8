-- Who are the ten largest users of the last 28 complete days, and what share of the cost is theirs?
with
    last_day as (select max(event_date) as day from marts.cost_by_user_daily where is_complete),

    users as (
        select
            tenant_id,
            user_id,
            sum(requests) as requests,
            sum(cost_usd) as cost_usd,
            sum(unpriced_attempts) as unpriced,
            cast(sum(cost_usd) as double) / sum(sum(cast(cost_usd as double))) over () as share
        from marts.cost_by_user_daily, last_day
        where event_date between day - 27 and day and environment = 'prod' and data_mode = 'real'
        group by tenant_id, user_id
    )

select
    tenant_id,
    user_id,
    requests,
    round(cost_usd, 2) as cost_usd,
    round(share, 4) as share,
    round(sum(share) over (order by users.cost_usd desc, user_id), 4) as share_so_far,
    unpriced
from users
where user_id <> '(unattributed)'
order by users.cost_usd desc nulls last, user_id
limit 10
