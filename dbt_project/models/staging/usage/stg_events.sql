-- depends_on: {{ source("raw", "events") }}
with
    -- a raw row without a status is a span around calls: stg_spans has those
    source as (select * from {{ raw_usage() }} where status is not null),

    renamed as (
        select
            -- keys
            coalesce(source, 'events') as source,
            content_hash,
            line_number,
            coalesce(item, 1) as item,
            emitter,
            source_version,
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
            billing_account_id,
            sub_account_id,
            api_key_id,
            trace_id,
            span_id,
            parent_span_id,
            token_convention,
            usage_source,
            coalesce(withdrawn, false) as is_withdrawn,
            -- quantities, as the sender counted them
            {% for count in token_counts() %}
                {%- if count.sum_of %}
                    coalesce(
                        {{ count.name }},
                        case
                            when {{ count.sum_of | join(" is not null or ") }} is not null
                            then
                                {%- for part in count.sum_of %}
                                    coalesce({{ part }}, 0) {{- " + " if not loop.last }}
                                {%- endfor %}
                        end
                    ) as {{ count.name }},
                {%- else %} {{ count.name }},
                {%- endif %}
            {%- endfor %}
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
