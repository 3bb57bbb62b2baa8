-- One row per price book row: what identifies it, where it applies, and the extremes of
-- its prices. `other_prices` are JSON texts per unit of the catalogue's registry: they
-- count for the lowest price only.
with
    listed as (
        select
            *,
            [*columns('_price_usd$')] as every_price,
            [
                *columns(
                    lambda name:name like '%_price_usd'
                    and name not in ('web_searches_price_usd', 'billed_requests_price_usd')
                )
            ] as token_prices,
            cast(coalesce(json_extract_string(other_prices, '$.*'), []) as decimal(23, 18)[]) as unit_prices
        from marts.price_book
    )

select
    price_row_key,
    price_book_version,
    provider,
    model,
    resolution,
    source,
    valid_from,
    valid_to,
    coalesce(cast(valid_from as varchar), 'ever') as valid_since,
    day_second_from,
    day_second_to,
    input_tokens_from,
    input_tokens_to,
    list_min(list_concat(every_price, unit_prices)) as lowest_price_usd,
    list_max(token_prices) as highest_token_price_usd,
    greatest(web_searches_price_usd, billed_requests_price_usd) as highest_fee_usd,
    case when resolution = 'unknown' then list_count(every_price) + list_count(unit_prices) end as prices_of_unknown
from listed
order by price_book_version, price_row_key, provider, model, valid_from, day_second_from, input_tokens_from
