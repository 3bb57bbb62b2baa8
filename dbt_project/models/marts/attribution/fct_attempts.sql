{{ kept_by_date("attempt_days") }}
{%- set dirty = dirty_dates() %}
with
    attempts as (
        select *
        from {{ ref("int_priced_attempts") }}
        where
            {{ in_dates("event_date", dirty) }}
            and {{ in_dates("delivery_date", with_neighbours(dirty, 0, identity_window_days())) }}
    )

select
    -- keys
    request_id,
    attempt_key,
    attempt,
    provider_request_id,
    source,
    emitter,
    -- times
    occurred_at,
    event_date,
    request_date,
    -- dimensions
    environment,
    data_mode,
    -- what cost is attributed to, by one name in every mart where it was not sent; what
    -- describes a call, such as its region or tier, is NULL then
    {% for dimension in [
        "endpoint_tag",
        "prompt_version",
        "feature_tag",
        "tenant_id",
        "user_id",
        "billing_account_id",
    ] %}
        coalesce({{ dimension }}, '(unattributed)') as {{ dimension }},
    {% endfor %}
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
    sub_account_id,
    api_key_id,
    trace_id,
    span_id,
    parent_span_id,
    cast(try_number as integer) as try_number,
    is_first_try,
    is_last_try,
    occurred_at > {{ as_of() }} as is_future,
    -- quantities, inclusive
    input_tokens,
    output_tokens,
    coalesce(total_tokens, input_tokens + output_tokens) as total_tokens,
    cache_read_tokens,
    cache_write_tokens,
    -- quantities, disjoint token kinds
    {% for kind in token_kinds() %} {{ kind.quantity }}, {% endfor %}
    other_usage,
    latency_ms,
    -- money
    {% for column in cost_columns() %} {{ column }}, {% endfor %}
    cost_usd,
    cache_savings_usd,
    cache_write_premium_usd,
    reported_cost_usd,
    -- how it was priced
    pricing_status,
    usage_source,
    price_row_key,
    price_model_id,
    price_book_version,
    price_resolution,
    price_variant,
    missing_variant,
    approximate_reason,
    is_approximate,
    price_tier_from_tokens,
    fallback_token_kinds,
    -- provenance
    cast(duplicate_deliveries as integer) as duplicate_deliveries,
    cast(conflicting_deliveries as integer) as conflicting_deliveries,
    content_hash as landing_content_hash,
    line_number as landing_line_number,
    item as landing_item,
    load_id,
    {{ now_utc() }} as built_at,
    metadata
from attempts
