-- Which requests cost more than 1 USD, and what made them so: many tokens, retries, or the price of long inputs?
select
    requests.event_date,
    requests.request_id,
    requests.endpoint_tag,
    requests.tenant_id,
    requests.model,
    round(requests.cost_usd, 2) as cost_usd,
    requests.attempts,
    round(requests.retry_cost_usd, 2) as retry_cost_usd,
    requests.input_tokens,
    requests.output_tokens,
    max(attempts.price_tier_from_tokens) as priced_for_inputs_from
from marts.fct_requests as requests
inner join
    marts.fct_attempts as attempts
    on requests.source = attempts.source
    and requests.environment = attempts.environment
    and requests.data_mode = attempts.data_mode
    and requests.request_id = attempts.request_id
    and requests.event_date = attempts.request_date
where requests.cost_usd > 1 and requests.environment = 'prod' and requests.data_mode = 'real'
group by all
order by cost_usd desc, request_id
