-- What did the higher prices of long inputs cost beyond the standard rate, by model and endpoint?
select
    provider,
    model,
    endpoint_tag,
    round(sum(long_input_premium_usd), 4) as premium_usd,
    min(event_date) as first_day,
    max(event_date) as last_day
from marts.cost_daily
where environment = 'prod' and data_mode = 'real' and long_input_premium_usd > 0
group by provider, model, endpoint_tag
order by sum(long_input_premium_usd) desc
