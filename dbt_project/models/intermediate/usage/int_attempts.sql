{{ config(materialized="view") }}
-- Deliveries become attempts: repeats are dropped, the kept one takes the date of the
-- first. Inclusive counts become disjoint leaves.
with
    deliveries as (
        select
            *,
            event_date as delivery_date,
            {{ attempt_key(own_attempt_label(), "event_date") }} as own_attempt_key,
            -- a token kind that was not reported is 0 where usage is known, and unknown
            -- where it is not
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
    ),

    -- token kinds: every token is in exactly one. What is part of a narrower one,
    -- or of another unit under `usage`, is not counted again.
    narrow_leaves as (
        select
            * exclude (
                cache_write_1h_tokens,
                reasoning_tokens,
                input_video_tokens,
                output_audio_tokens,
                output_image_tokens,
                output_video_tokens,
                web_searches
            ),
            {{
                tokens_of_kind(
                    "cache_read_tokens", ["cache_audio_read_tokens", "cache_image_read_tokens"], "cached_input"
                )
            }},
            {{ tokens_of_kind("cache_write_tokens", ["cache_write_1h_tokens"], "cache_write_5m") }},
            {{ tokens_of_kind("cache_write_1h_tokens", [], "cache_write_1h") }},
            {{ tokens_of_kind("input_audio_tokens", ["cache_audio_read_tokens"], "uncached_audio") }},
            {{ tokens_of_kind("cache_audio_read_tokens", [], "cached_audio") }},
            {{ tokens_of_kind("input_image_tokens", ["cache_image_read_tokens"], "uncached_image") }},
            {{ tokens_of_kind("cache_image_read_tokens", [], "cached_image") }},
            {{ tokens_of_kind("input_video_tokens", [], "input_video") }},
            {{ tokens_of_kind("reasoning_tokens", [], "reasoning") }},
            {{ tokens_of_kind("output_audio_tokens", [], "output_audio") }},
            {{ tokens_of_kind("output_image_tokens", [], "output_image") }},
            {{ tokens_of_kind("output_video_tokens", [], "output_video") }},
            coalesce(web_searches, none_unless_missing) as web_searches,
            none_unless_missing + 1 as billed_requests
        from attempts
    )

select
    * exclude (none_unless_missing),
    input_tokens
    - cached_input_tokens
    - cache_write_5m_tokens
    - cache_write_1h_tokens
    - uncached_audio_tokens
    - cached_audio_tokens
    - uncached_image_tokens
    - cached_image_tokens
    - input_video_tokens
    - {{ other_units_sum("other_usage", other_parts_of("uncached_input")) }} as uncached_input_tokens,
    output_tokens
    - reasoning_tokens
    - output_audio_tokens
    - output_image_tokens
    - output_video_tokens
    - {{ other_units_sum("other_usage", other_parts_of("text_output")) }} as text_output_tokens
from narrow_leaves
