select
    -- keys
    alert_id,
    problem_id,
    -- what and where
    alert_type,
    environment,
    data_mode,
    scope_dimension,
    scope_value,
    severity,
    status,
    close_reason,
    -- when
    alert_date,
    onset_date,
    last_date,
    days,
    window_start,
    window_end,
    burst_start,
    burst_end,
    baseline_start,
    baseline_end,
    -- how much, on the day of the alert
    observed,
    expected,
    z,
    threshold,
    delta_usd,
    delta_is_understated,
    total_excess_usd,
    -- why
    spike_type,
    alternate_spike_types,
    top_driver_dimension,
    top_driver_value,
    confidence,
    related,
    -- what to do, and who
    containment_action,
    endpoint_tag,
    owner,
    runbook_url,
    escalation_channel,
    drill_url,
    drill_query,
    input_fingerprint
from {{ ref("int_alert_rows") }}
