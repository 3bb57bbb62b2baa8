-- What did prompt caching save, by model: reads at the cached rate, less the premium for writes?
with
    attempts as (
        select
            attempts.provider,
            attempts.model,
            attempts.input_tokens,
            attempts.cached_input_tokens,
            cast(attempts.cached_input_tokens as decimal(13, 0))
            * (prices.uncached_input_price_usd - prices.cached_input_price_usd) as saved_usd,
            list_sum([*columns('^cache_write_.+_cost_usd$')])
            - cast(coalesce(attempts.cache_write_tokens, 0) as decimal(13, 0))
            * prices.uncached_input_price_usd as premium_usd,
            attempts.cost_usd
        from marts.fct_attempts as attempts
        left join
            marts.price_book as prices
            on attempts.price_row_key = prices.price_row_key
            and attempts.occurred_at >= coalesce(prices.valid_from, timestamp '0001-01-01')
            and attempts.occurred_at < coalesce(prices.valid_to, timestamp '9999-01-01')
        where attempts.environment = 'prod' and attempts.data_mode = 'real' and attempts.pricing_status = 'priced'
    )

select
    provider,
    model,
    round(sum(cached_input_tokens) / nullif(sum(input_tokens), 0), 3) as cached_share_of_input,
    round(sum(saved_usd), 2) as saved_on_reads_usd,
    round(sum(premium_usd), 2) as premium_for_writes_usd,
    round(sum(saved_usd) - sum(premium_usd), 2) as saved_usd,
    round(sum(cost_usd), 2) as cost_usd
from attempts
group by provider, model
having sum(cached_input_tokens) > 0
order by saved_usd desc
