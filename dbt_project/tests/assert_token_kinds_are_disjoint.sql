{{ config(meta={"dagster": {"ref": {"name": "fct_attempts"}}}) }}
-- Fails if the token kinds of an attempt are not exactly its inclusive counts: then a
-- token is priced twice or not at all.
select attempt_key, input_tokens, output_tokens
from {{ to_verify("fct_attempts") }} as fact
where
    other_usage is null
    and (
        input_tokens
        <> uncached_input_tokens
        + cached_input_tokens
        + cache_write_5m_tokens
        + cache_write_1h_tokens
        + uncached_audio_tokens
        + cached_audio_tokens
        + uncached_image_tokens
        + cached_image_tokens
        + input_video_tokens
        or output_tokens
        <> text_output_tokens + reasoning_tokens + output_audio_tokens + output_image_tokens + output_video_tokens
        or least(
            coalesce(uncached_input_tokens, 0),
            coalesce(cached_input_tokens, 0),
            coalesce(cache_write_5m_tokens, 0),
            coalesce(uncached_audio_tokens, 0),
            coalesce(uncached_image_tokens, 0),
            coalesce(text_output_tokens, 0)
        )
        < 0
    )
