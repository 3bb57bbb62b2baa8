-- Which share of the cost and of the requests had each model, week by week?
select
    cast(date_trunc('week', event_date) as date) as week_from,
    week_from + 6 <= (select max(event_date) from marts.cost_by_model_daily where is_complete) as is_over,
    provider,
    model,
    round(sum(cost_usd), 2) as cost_usd,
    round(cast(sum(cost_usd) as double) / sum(sum(cast(cost_usd as double))) over this_week, 4) as share_of_cost,
    round(sum(requests) / sum(sum(requests)) over this_week, 4) as share_of_requests,
    sum(unpriced_attempts) as unpriced
from marts.cost_by_model_daily
where environment = 'prod' and data_mode = 'real'
group by week_from, provider, model
window this_week as (partition by cast(date_trunc('week', event_date) as date))
order by week_from desc, sum(cost_usd) desc nulls last, provider, model
