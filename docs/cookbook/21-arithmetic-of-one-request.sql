-- Why does request req-20261108-00002445 cost what it costs: each token kind, its price, and the product?
with
    token_kinds as (
        select
            attempts.attempt,
            attempts.status,
            attempts.cost_usd as attempt_cost_usd,
            unnest(
                [
                    {
                        'token_kind':'uncached_input',
                        'used':uncached_input_tokens,
                        'price':uncached_input_price_usd,
                        'cost':uncached_input_cost_usd
                    },
                    {
                        'token_kind':'cached_input',
                        'used':cached_input_tokens,
                        'price':cached_input_price_usd,
                        'cost':cached_input_cost_usd
                    },
                    {
                        'token_kind':'cache_write_5m',
                        'used':cache_write_5m_tokens,
                        'price':cache_write_5m_price_usd,
                        'cost':cache_write_5m_cost_usd
                    },
                    {
                        'token_kind':'cache_write_1h',
                        'used':cache_write_1h_tokens,
                        'price':cache_write_1h_price_usd,
                        'cost':cache_write_1h_cost_usd
                    },
                    {
                        'token_kind':'uncached_audio',
                        'used':uncached_audio_tokens,
                        'price':uncached_audio_price_usd,
                        'cost':uncached_audio_cost_usd
                    },
                    {
                        'token_kind':'cached_audio',
                        'used':cached_audio_tokens,
                        'price':cached_audio_price_usd,
                        'cost':cached_audio_cost_usd
                    },
                    {
                        'token_kind':'uncached_image',
                        'used':uncached_image_tokens,
                        'price':uncached_image_price_usd,
                        'cost':uncached_image_cost_usd
                    },
                    {
                        'token_kind':'cached_image',
                        'used':cached_image_tokens,
                        'price':cached_image_price_usd,
                        'cost':cached_image_cost_usd
                    },
                    {
                        'token_kind':'input_video',
                        'used':input_video_tokens,
                        'price':input_video_price_usd,
                        'cost':input_video_cost_usd
                    },
                    {
                        'token_kind':'text_output',
                        'used':text_output_tokens,
                        'price':text_output_price_usd,
                        'cost':text_output_cost_usd
                    },
                    {
                        'token_kind':'reasoning',
                        'used':reasoning_tokens,
                        'price':reasoning_price_usd,
                        'cost':reasoning_cost_usd
                    },
                    {
                        'token_kind':'output_audio',
                        'used':output_audio_tokens,
                        'price':output_audio_price_usd,
                        'cost':output_audio_cost_usd
                    },
                    {
                        'token_kind':'output_image',
                        'used':output_image_tokens,
                        'price':output_image_price_usd,
                        'cost':output_image_cost_usd
                    },
                    {
                        'token_kind':'output_video',
                        'used':output_video_tokens,
                        'price':output_video_price_usd,
                        'cost':output_video_cost_usd
                    },
                    {
                        'token_kind':'web_searches',
                        'used':web_searches,
                        'price':web_searches_price_usd,
                        'cost':web_searches_cost_usd
                    },
                    {
                        'token_kind':'billed_requests',
                        'used':billed_requests,
                        'price':billed_requests_price_usd,
                        'cost':billed_requests_cost_usd
                    }
                ],
                recursive := true
            )
        from fct_attempts as attempts
        left join
            price_book
            on attempts.price_row_key = price_book.price_row_key
            and attempts.occurred_at >= coalesce(price_book.valid_from, timestamp '0001-01-01')
            and attempts.occurred_at < coalesce(price_book.valid_to, timestamp '9999-01-01')
        where attempts.request_id = 'req-20261108-00002445'
    )

select attempt, status, token_kind, used, price as usd_per_unit, cost as cost_usd, attempt_cost_usd
from token_kinds
where used > 0
order by attempt
