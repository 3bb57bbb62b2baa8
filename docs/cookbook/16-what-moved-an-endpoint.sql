-- What raised the cost of search.answer on 7 November: which model, and more requests or more expensive ones?
with
    models as (
        select
            model,
            count(*) filter (where event_date = date '2026-11-07' and is_first_try) as requests,
            sum(cost_usd) filter (where event_date = date '2026-11-07') as cost_usd,
            count(*) filter (where event_date = date '2026-10-31' and is_first_try) as requests_week_before,
            sum(cost_usd) filter (where event_date = date '2026-10-31') as cost_week_before_usd
        from marts.fct_attempts
        where
            event_date in (date '2026-10-31', date '2026-11-07')
            and endpoint_tag = 'search.answer'
            and environment = 'prod'
            and data_mode = 'real'
        group by model
    )

select
    model,
    requests,
    requests_week_before,
    round(cost_usd, 2) as cost_usd,
    round(cost_week_before_usd, 2) as cost_week_before_usd,
    round(coalesce(cost_usd, 0) - coalesce(cost_week_before_usd, 0), 2) as delta_usd,
    round(cast(cost_usd as double) / nullif(requests, 0), 5) as usd_per_request,
    round(cast(cost_week_before_usd as double) / nullif(requests_week_before, 0), 5) as usd_per_request_week_before
from models
order by delta_usd desc
