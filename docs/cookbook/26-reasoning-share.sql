-- How much of the output, and of the cost, is reasoning that nobody reads?
select
    provider,
    model,
    round(sum(reasoning_tokens) / sum(output_tokens), 3) as share_of_output,
    round(sum(reasoning_cost_usd), 2) as reasoning_cost_usd,
    round(sum(cost_usd), 2) as cost_usd,
    round(cast(sum(reasoning_cost_usd) as double) / cast(sum(cost_usd) as double), 3) as share_of_cost
from marts.fct_attempts
where environment = 'prod' and data_mode = 'real' and pricing_status = 'priced'
group by provider, model
having sum(reasoning_tokens) > 0
order by sum(reasoning_cost_usd) desc
