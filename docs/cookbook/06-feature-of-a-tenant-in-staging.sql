-- What did the feature assistant cost for the tenant acme in staging, week by week?
select
    cast(date_trunc('week', event_date) as date) as week_from,
    week_from + 6 <= (select max(event_date) from marts.cost_daily where is_complete) as is_over,
    sum(requests) as requests,
    round(sum(cost_usd), 4) as cost_usd,
    sum(unpriced_attempts) as unpriced
from marts.cost_daily
where feature_tag = 'assistant' and tenant_id = 'acme' and environment = 'staging' and data_mode = 'real'
group by week_from
order by week_from
