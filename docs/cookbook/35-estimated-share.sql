-- How much of each endpoint's cost rests on estimated token counts rather than on the provider's own?
select
    endpoint_tag,
    round(sum(estimated_cost_usd), 2) as estimated_cost_usd,
    round(sum(cost_usd), 2) as cost_usd,
    round(cast(sum(estimated_cost_usd) as double) / cast(sum(cost_usd) as double), 3) as estimated_share
from marts.cost_by_endpoint_daily
where environment = 'prod' and data_mode = 'real'
group by endpoint_tag
having sum(estimated_cost_usd) > 0
order by sum(estimated_cost_usd) desc
