-- Where do the senders' own figures (costUsd) differ from ours, and by how much?
select
    provider,
    model,
    coalesce(processing, '-') as processing,
    coalesce(service_tier, '-') as service_tier,
    count(*) as attempts,
    round(sum(cost_usd), 2) as ours_usd,
    round(sum(reported_cost_usd), 2) as senders_usd,
    round(sum(reported_cost_usd) - sum(cost_usd), 2) as difference_usd
from marts.fct_attempts
where environment = 'prod' and data_mode = 'real' and cost_usd is not null and reported_cost_usd is not null
group by provider, model, processing, service_tier
order by abs(sum(reported_cost_usd) - sum(cost_usd)) desc
