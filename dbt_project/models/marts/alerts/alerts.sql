{{ config(materialized="view") }}
-- Under which id it was announced before is as the ledger has it when it is asked for.
select
    -- keys
    alerts.alert_id,
    problem_id,
    superseded.supersedes_alert_id,
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
    started_at,
    is_provisional,
    window_start,
    window_end,
    burst_start,
    burst_end,
    baseline_start,
    baseline_end,
    -- how much, on the day of the alert: observed - baseline_usd = delta_usd, and
    -- observed against expected is what z measures
    observed,
    exposure_usd,
    expected,
    z,
    threshold,
    baseline_usd,
    delta_usd,
    delta_is_understated,
    -- and over all its days so far
    window_observed_usd,
    window_exposure_usd,
    window_baseline_usd,
    window_delta_usd,
    total_excess_usd,
    -- why
    spike_type,
    token_direction,
    alternate_spike_types,
    top_driver_dimension,
    top_driver_value,
    top_driver_delta_usd,
    confidence,
    related,
    top_error_code,
    top_error_share,
    top_http_status,
    -- what to do, and who
    containment_action,
    endpoint_tag,
    owner,
    runbook_url,
    escalation_channel,
    drill_url,
    drill_query,
    plan_id,
    input_fingerprint
from {{ ref("int_alert_rows") }} as alerts
left join {{ ref("int_superseded_alerts") }} as superseded on alerts.alert_id = superseded.alert_id
