-- Which batch or tiered calls were priced at the standard rate, because the price book has no price of their own?
select
    provider,
    model,
    missing_variant,
    min(event_date) as first_day,
    max(event_date) as last_day,
    count(*) as attempts,
    round(sum(cost_usd), 2) as cost_usd
from marts.fct_attempts
where data_mode = 'real' and pricing_status = 'priced' and missing_variant is not null
group by provider, model, missing_variant
order by sum(cost_usd) desc
