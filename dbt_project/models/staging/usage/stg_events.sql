-- depends_on: {{ source("raw", "events") }}
with
    source as (select * from {{ raw_rows("events") }}),

    renamed as (
        select
            -- keys
            'events' as source,
            content_hash,
            line_number,
            load_id,
            external_request_id as request_id,
            provider_request_id,
            attempt,
            -- dimensions
            environment,
            data_mode,
            endpoint_tag,
            prompt_version,
            feature_tag,
            coalesce(tenant_id, {{ json_text("metadata", "tenantId") }}) as tenant_id,
            user_id,
            provider,
            model,
            status,
            error_code,
            http_status,
            processing,
            service_tier,
            requested_service_tier,
            region,
            price_context,
            token_convention,
            usage_source,
            coalesce(withdrawn, false) as is_withdrawn,
            -- quantities, as the sender counted them
            input_tokens,
            output_tokens,
            total_tokens,
            cache_read_tokens,
            coalesce(cache_write_tokens, cache_write_1h_tokens) as cache_write_tokens,
            cache_write_1h_tokens,
            reasoning_tokens,
            input_audio_tokens,
            cache_audio_read_tokens,
            output_audio_tokens,
            input_image_tokens,
            cache_image_read_tokens,
            output_image_tokens,
            input_video_tokens,
            output_video_tokens,
            web_searches,
            usage as other_usage,
            latency_ms,
            reported_cost_usd,
            metadata,
            -- times
            occurred_at,
            event_date
        from source
    )

select *
from renamed
