{{ config(materialized="view") }}
-- Deliveries become attempts: repeats leave, the kept one takes the date of the first. Inclusive counts become
-- disjoint leaves.
with
    deliveries as (
        select
            *,
            event_date as delivery_date,
            {{ attempt_key(own_attempt_label(), "event_date") }} as own_attempt_key,
            -- a leaf that nobody reported is 0 where usage is known, and unknown where it is not
            case when usage_source <> 'missing' then 0 end as none_unless_missing
        from {{ ref("int_deliveries") }}
    ),

    repeats as (select * from {{ ref("int_repeated_deliveries") }}),

    attempts as (
        select
            deliveries.* exclude (event_date, occurred_at, own_attempt_key),
            coalesce(repeats.attempt_date, deliveries.event_date) as event_date,
            coalesce(repeats.attempt_occurred_at, deliveries.occurred_at) as occurred_at,
            coalesce(repeats.attempt_key, deliveries.own_attempt_key) as attempt_key,
            coalesce(repeats.duplicate_deliveries, 0) as duplicate_deliveries,
            coalesce(repeats.conflicting_deliveries, 0) as conflicting_deliveries,
            coalesce(repeats.request_date, deliveries.event_date) as request_date,
            coalesce(repeats.try_number, 1) as try_number,
            coalesce(repeats.try_number = 1, true) as is_first_try,
            coalesce(repeats.try_number = repeats.tries, true) as is_last_try
        from deliveries
        left join
            repeats
            on deliveries.event_date = repeats.event_date
            and deliveries.content_hash = repeats.content_hash
            and deliveries.line_number = repeats.line_number
        where coalesce(repeats.is_attempt, not deliveries.is_withdrawn)
    )

select
    * exclude (
        reasoning_tokens,
        input_video_tokens,
        output_audio_tokens,
        output_image_tokens,
        output_video_tokens,
        cache_write_1h_tokens,
        web_searches,
        none_unless_missing
    ),
    -- leaves: every token stands in exactly one
    input_tokens
    - coalesce(cache_read_tokens, 0)
    - coalesce(cache_write_tokens, 0)
    - (coalesce(input_audio_tokens, 0) - coalesce(cache_audio_read_tokens, 0))
    - (coalesce(input_image_tokens, 0) - coalesce(cache_image_read_tokens, 0))
    - coalesce(input_video_tokens, 0)
    - ({{ other_units_sum("other_usage", other_input_token_units()) }}) as uncached_input_tokens,
    coalesce(
        cache_read_tokens - coalesce(cache_audio_read_tokens, 0) - coalesce(cache_image_read_tokens, 0),
        none_unless_missing
    ) as cached_input_tokens,
    coalesce(cache_write_tokens - coalesce(cache_write_1h_tokens, 0), none_unless_missing) as cache_write_5m_tokens,
    coalesce(cache_write_1h_tokens, none_unless_missing) as cache_write_1h_tokens,
    coalesce(input_audio_tokens - coalesce(cache_audio_read_tokens, 0), none_unless_missing) as uncached_audio_tokens,
    coalesce(cache_audio_read_tokens, none_unless_missing) as cached_audio_tokens,
    coalesce(input_image_tokens - coalesce(cache_image_read_tokens, 0), none_unless_missing) as uncached_image_tokens,
    coalesce(cache_image_read_tokens, none_unless_missing) as cached_image_tokens,
    coalesce(input_video_tokens, none_unless_missing) as input_video_tokens,
    output_tokens
    - coalesce(reasoning_tokens, 0)
    - coalesce(output_audio_tokens, 0)
    - coalesce(output_image_tokens, 0)
    - coalesce(output_video_tokens, 0)
    - ({{ other_units_sum("other_usage", other_output_token_units()) }}) as text_output_tokens,
    coalesce(reasoning_tokens, none_unless_missing) as reasoning_tokens,
    coalesce(output_audio_tokens, none_unless_missing) as output_audio_tokens,
    coalesce(output_image_tokens, none_unless_missing) as output_image_tokens,
    coalesce(output_video_tokens, none_unless_missing) as output_video_tokens,
    coalesce(web_searches, none_unless_missing) as web_searches,
    none_unless_missing + 1 as billed_requests
from attempts
