-- What changed on the last complete day, against the same weekday before: which endpoints and models, by how much?
with
    last_day as (select max(event_date) as day from marts.cost_by_endpoint_daily where is_complete),

    calls as (
        select
            endpoint_tag,
            model,
            count(*) filter (where event_date = day and is_first_try) as requests,
            count(*) filter (where event_date < day and is_first_try) as requests_before,
            -- without calls 0, with calls that have no price NULL
            case
                when bool_or(event_date = day) then sum(cost_usd) filter (where event_date = day) else 0
            end as cost_usd,
            case
                when bool_or(event_date < day) then sum(cost_usd) filter (where event_date < day) else 0
            end as cost_before_usd,
            count(*) filter (where pricing_status = 'unpriced') as unpriced
        from marts.fct_attempts, last_day
        where event_date in (day, day - 7) and environment = 'prod' and data_mode = 'real'
        group by endpoint_tag, model
    )

select
    endpoint_tag,
    model,
    requests,
    requests_before,
    round(cost_usd, 2) as cost_usd,
    round(cost_before_usd, 2) as cost_before_usd,
    round(cost_usd - cost_before_usd, 2) as change_usd,
    unpriced
from calls
order by abs(calls.cost_usd - calls.cost_before_usd) desc nulls last, endpoint_tag, model
