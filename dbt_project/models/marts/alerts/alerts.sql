select
    -- keys
    opened.alert_id,
    opened.problem_id,
    -- what and where
    opened.alert_type,
    opened.environment,
    opened.data_mode,
    opened.scope_dimension,
    opened.scope_value,
    {{ severity("opened") }} as severity,
    case
        when opened.is_muted
        then 'muted'
        when opened.level_shift_date is not null or opened.last_complete_date - opened.last_date >= {{ quiet_days() }}
        then 'closed'
        when opened.days > 1
        then 'extended'
        else 'open'
    end as status,
    case
        when opened.level_shift_date is not null
        then 'level_shift'
        when opened.last_complete_date - opened.last_date >= {{ quiet_days() }}
        then 'quiet'
    end as close_reason,
    -- when
    opened.alert_date,
    opened.onset_date,
    opened.last_date,
    opened.days,
    cast(opened.onset_date as timestamp) as window_start,
    cast(opened.onset_date as timestamp) + interval 1 day as window_end,
    cast(opened.onset_date as timestamp) + opened.first_hour * interval 1 hour as burst_start,
    cast(opened.onset_date as timestamp) + (opened.last_hour + 1) * interval 1 hour as burst_end,
    opened.baseline_from as baseline_start,
    opened.baseline_to as baseline_end,
    -- how much, on the day of the alert
    opened.current_usd as observed,
    cast(
        case when opened.measure = 'cost' then opened.expected_usd else opened.baseline_usd end as decimal(38, 12)
    ) as expected,
    opened.z,
    opened.threshold,
    opened.delta_usd,
    opened.unpriced_attempts > 0 as delta_is_understated,
    opened.total_excess_usd,
    -- why
    opened.spike_type,
    {{ alternate_types("opened") }} as alternate_spike_types,
    opened.top_driver_dimension,
    opened.top_driver_value,
    opened.confidence,
    opened.related,
    -- what to do, and who
    containment.containment_action,
    coalesce(opened.driver_endpoint_tag, opened.main_endpoint_tag) as endpoint_tag,
    owners.owner,
    owners.runbook_url,
    owners.escalation_channel,
    {{ drill_url("opened") }} as drill_url,
    {{ drill_query("opened") }} as drill_query,
    days.input_fingerprint
from {{ ref("int_alerts") }} as opened
left join {{ ref("containment_map") }} as containment using (spike_type)
left join
    {{ ref("endpoint_owners") }} as owners
    on coalesce(opened.driver_endpoint_tag, opened.main_endpoint_tag) = owners.endpoint_tag
left join {{ ref("alert_signal_days") }} as days on opened.onset_date = days.event_date
