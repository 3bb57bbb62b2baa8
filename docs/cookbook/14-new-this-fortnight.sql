-- Which models and prompt versions were seen for the first time in the last 14 days?
with last_day as (select max(event_date) as day from marts.data_quality_daily where attempts > 0)

select
    'model' as what,
    provider || '/' || model as name,
    first_seen_date,
    real_requests,
    round(real_cost_usd, 2) as real_cost_usd,
    real_unpriced_attempts
from marts.dim_models, last_day
where first_seen_date > day - 14

union all

select
    'prompt version',
    endpoint_tag || ' ' || prompt_version,
    first_seen_date,
    real_requests,
    round(real_cost_usd, 2),
    real_unpriced_attempts
from marts.dim_prompt_versions, last_day
where first_seen_date > day - 14 and '(unattributed)' not in (endpoint_tag, prompt_version)
order by first_seen_date desc, name
