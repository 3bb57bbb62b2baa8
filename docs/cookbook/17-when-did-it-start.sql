-- At what hour of 9 November did agent.browse begin to cost more than a week before?
with
    hours as (
        select
            extract('hour' from occurred_at) as hour_utc,
            count(*) filter (where event_date = date '2026-11-09' and is_first_try) as requests,
            count(*) filter (where event_date = date '2026-11-02' and is_first_try) as requests_week_before,
            sum(cost_usd) filter (where event_date = date '2026-11-09') as cost_usd,
            sum(cost_usd) filter (where event_date = date '2026-11-02') as cost_week_before_usd
        from marts.fct_attempts
        where
            event_date in (date '2026-11-02', date '2026-11-09')
            and endpoint_tag = 'agent.browse'
            and environment = 'prod'
            and data_mode = 'real'
        group by hour_utc
    )

select
    hour_utc,
    requests,
    requests_week_before,
    round(cost_usd, 3) as cost_usd,
    round(cost_week_before_usd, 3) as cost_week_before_usd
from hours
where hour_utc between 5 and 12
order by hour_utc
