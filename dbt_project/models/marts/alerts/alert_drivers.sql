select
    alert_id,
    rank,
    effect,
    driver_dimension,
    driver_value,
    endpoint_tag,
    prompt_version,
    tenant_id,
    user_id,
    model,
    baseline_usd,
    current_usd,
    delta_usd,
    share_of_delta,
    score,
    equivalents
from {{ ref("int_alert_drivers") }}
