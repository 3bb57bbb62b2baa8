-- Which batch or tiered calls were priced at the standard rate, because the price book has no price of their own?
select
    attempts.provider,
    attempts.model,
    attempts.processing,
    attempts.service_tier,
    min(attempts.event_date) as first_day,
    max(attempts.event_date) as last_day,
    count(*) as attempts,
    round(sum(attempts.cost_usd), 2) as cost_usd
from fct_attempts as attempts
inner join price_book as prices using (price_row_key)
where
    attempts.data_mode = 'real'
    and prices.variant is null
    and (attempts.processing = 'batch' or attempts.service_tier not in ('default', 'standard'))
group by attempts.provider, attempts.model, attempts.processing, attempts.service_tier
order by sum(attempts.cost_usd) desc
