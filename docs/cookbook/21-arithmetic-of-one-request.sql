-- Why does request req-20261108-00002445 cost what it costs: each leaf, its price, and the product?
with
    leaves as (
        select
            attempts.attempt,
            attempts.status,
            attempts.cost_usd as attempt_cost_usd,
            unnest(
                [
                    {'leaf':'uncached_input', 'used':uncached_input_tokens, 'price':uncached_input_price_usd},
                    {'leaf':'cached_input', 'used':cached_input_tokens, 'price':cached_input_price_usd},
                    {'leaf':'cache_write_5m', 'used':cache_write_5m_tokens, 'price':cache_write_5m_price_usd},
                    {'leaf':'cache_write_1h', 'used':cache_write_1h_tokens, 'price':cache_write_1h_price_usd},
                    {'leaf':'input_audio', 'used':uncached_audio_tokens, 'price':uncached_audio_price_usd},
                    {'leaf':'cached_audio', 'used':cached_audio_tokens, 'price':cached_audio_price_usd},
                    {'leaf':'input_image', 'used':uncached_image_tokens, 'price':uncached_image_price_usd},
                    {'leaf':'cached_image', 'used':cached_image_tokens, 'price':cached_image_price_usd},
                    {'leaf':'input_video', 'used':input_video_tokens, 'price':input_video_price_usd},
                    {'leaf':'output_text', 'used':text_output_tokens, 'price':text_output_price_usd},
                    {'leaf':'reasoning', 'used':reasoning_tokens, 'price':reasoning_price_usd},
                    {'leaf':'output_audio', 'used':output_audio_tokens, 'price':output_audio_price_usd},
                    {'leaf':'output_image', 'used':output_image_tokens, 'price':output_image_price_usd},
                    {'leaf':'output_video', 'used':output_video_tokens, 'price':output_video_price_usd},
                    {'leaf':'web_searches', 'used':web_searches, 'price':web_searches_price_usd},
                    {'leaf':'requests', 'used':billed_requests, 'price':billed_requests_price_usd}
                ],
                recursive := true
            )
        from fct_attempts as attempts
        left join price_book using (price_row_key)
        where attempts.request_id = 'req-20261108-00002445'
    )

select
    attempt,
    status,
    leaf,
    used,
    price as usd_per_unit,
    cast(cast(used as decimal(13, 0)) * price as decimal(38, 12)) as cost_usd,
    attempt_cost_usd
from leaves
where used > 0
order by attempt
