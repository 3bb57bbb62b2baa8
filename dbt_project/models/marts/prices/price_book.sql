select
    -- keys
    price_row_key,
    price_book_version,
    -- dimensions
    provider,
    model,
    processing,
    service_tier,
    region,
    price_context,
    tenant_id,
    price_provider_id,
    price_model_id,
    resolution,
    variant,
    missing_variant,
    approximate_reason,
    -- when and where the price applies, half-open
    valid_from,
    valid_to,
    day_second_from,
    day_second_to,
    input_tokens_from,
    input_tokens_to,
    -- prices, USD per unit
    {% for kind in token_kinds() %} {{ kind.name }}_price_usd, {% endfor %}
    other_prices,
    nullif({{ text_list("fallback_token_kinds") }}, '') as fallback_token_kinds,
    -- provenance
    source,
    nullif({{ text_list("adjustments") }}, '') as adjustments,
    approved_by,
    catalogue_version,
    recorded_at
from {{ ref("stg_price_book") }}
