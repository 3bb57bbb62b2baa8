-- How many users were new in each week, and what have they cost since, in their first week and in all?
with
    users as (
        select
            tenant_id,
            user_id,
            min(event_date) as first_date,
            sum(cost_usd) as cost_usd,
            sum(unpriced_attempts) as unpriced,
            sum(cost_usd) filter (where is_first_week) as first_week_usd
        from
            (
                select
                    *,
                    event_date
                    < date_trunc('week', min(event_date) over (partition by tenant_id, user_id))
                    + interval 7 day as is_first_week
                from marts.cost_by_user_daily
                where environment = 'prod' and data_mode = 'real' and user_id <> '(unattributed)'
            )
        group by tenant_id, user_id
    )

select
    cast(date_trunc('week', first_date) as date) as week_from,
    week_from + 6 <= (select max(event_date) from marts.cost_by_user_daily where is_complete) as is_over,
    count(*) as new_users,
    round(sum(first_week_usd), 2) as first_week_usd,
    round(sum(cost_usd), 2) as cost_usd,
    sum(unpriced) as unpriced
from users
group by week_from
order by week_from
