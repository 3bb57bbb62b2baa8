-- What do we pay for claude-sonnet-4-5, in USD per million tokens, from when, and from which input size on?
select
    processing,
    valid_from,
    valid_to,
    input_tokens_from,
    round(uncached_input_price_usd * 1000000, 4) as input,
    round(cached_input_price_usd * 1000000, 4) as cached_input,
    round(cache_write_5m_price_usd * 1000000, 4) as cache_write_5m,
    round(cache_write_1h_price_usd * 1000000, 4) as cache_write_1h,
    round(text_output_price_usd * 1000000, 4) as output,
    missing_variant,
    source,
    adjustments,
    approved_by
from marts.price_book
where provider = 'anthropic' and model = 'claude-sonnet-4-5' and tenant_id is null
order by processing nulls first, valid_from nulls first, input_tokens_from
