-- What did prompt caching save in the last 28 complete days by endpoint, and what did writing to the cache cost on top?
with last_day as (select max(event_date) as day from marts.cost_daily where is_complete)

select
    endpoint_tag,
    round(sum(cache_read_tokens) / sum(input_tokens), 3) as cached_share_of_input,
    round(sum(cache_savings_usd), 2) as saved_by_reads_usd,
    round(sum(cache_write_premium_usd), 2) as premium_for_writes_usd,
    round(sum(cache_savings_usd) - sum(cache_write_premium_usd), 2) as saved_usd,
    round(sum(cost_usd), 2) as cost_usd,
    sum(unpriced_attempts) as unpriced
from marts.cost_daily, last_day
where event_date between day - 27 and day and environment = 'prod' and data_mode = 'real'
group by endpoint_tag
having sum(cache_read_tokens) > 0
order by saved_usd desc, endpoint_tag
