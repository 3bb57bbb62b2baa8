{{ config(materialized="table") }}
-- An alert as it is published.
{#- A day whose calls are missing is over, but nobody knows whether it was quiet. -#}
{%- set is_quiet -%}
    {{ dbt.datediff("opened.last_date", "opened.last_complete_date", "day") }} - coalesce(silent.days, 0)
    >= {{ alert_parameter("quiet_days") }}
{%- endset %}
{%- set is_over -%}
    {{ dbt.datediff("opened.last_date", "greatest(opened.last_complete_date, silent.last_date)", "day") }}
    >= {{ alert_parameter("quiet_days") }}
{%- endset %}
with
    silent as (
        select
            opened.alert_id,
            count(distinct case when days.event_date <= opened.last_complete_date then days.event_date end) as days,
            max(days.event_date) as last_date
        from {{ ref("int_alerts") }} as opened
        inner join
            {{ ref("int_source_silent_days") }} as days
            on opened.environment = days.environment
            and opened.data_mode = days.data_mode
            and opened.last_date < days.event_date
        where {{ as_of() }} >= {{ dbt.dateadd("hour", 24 + lateness_hours(), "days.event_date") }}
        group by opened.alert_id
    )

select
    opened.alert_id,
    opened.problem_id,
    opened.alert_type,
    opened.environment,
    opened.data_mode,
    opened.scope_dimension,
    opened.scope_value,
    -- by dollars and certainty; what cost (nearly) nothing is for information
    case
        when
            opened.delta_usd <= 0
            or (opened.alert_type = 'new_model' and opened.round = 0)
            -- what a request costs more counts, even while there are fewer of them
            or opened.delta_usd < opened.min_usd
            and (
                opened.alert_type <> 'cost_per_request_drift'
                or opened.observed_usd - opened.expected_usd < opened.min_usd
            )
        then 'info'
        when
            opened.z >= {{ alert_parameter("critical_z") }}
            and opened.delta_usd >= {{ alert_parameter("critical_min_usd_factor") }} * opened.min_usd
            and cast(opened.delta_usd as double) >= opened.critical_share_of_spend * opened.usual_spend_usd
        then 'critical'
        else 'warning'
    end as severity,
    case
        when plans.kind is not null
        then plans.kind
        when opened.is_muted
        then 'muted'
        when opened.level_shift_date is not null or {{ is_over }}
        then 'closed'
        when opened.days > 1
        then 'extended'
        else 'open'
    end as status,
    case
        when opened.level_shift_date is not null
        then 'level_shift'
        when {{ is_quiet }}
        then 'quiet'
        when {{ is_over }}
        then 'data_ended'
    end as close_reason,
    opened.alert_date,
    opened.onset_date,
    opened.last_date,
    opened.days,
    -- a day that is not over may still show it, or show something else
    opened.onset_date > opened.last_complete_date as is_provisional,
    starts.started_at,
    cast(opened.onset_date as timestamp) as window_start,
    cast(opened.onset_date as timestamp) + windows.first_day_hours * interval 1 hour as window_end,
    cast(opened.onset_date as timestamp) + opened.first_hour * interval 1 hour as burst_start,
    cast(opened.onset_date as timestamp) + (opened.last_hour + 1) * interval 1 hour as burst_end,
    opened.baseline_from as baseline_start,
    opened.baseline_to as baseline_end,
    opened.current_usd as observed,
    opened.current_exposure_usd as exposure_usd,
    cast(
        case when opened.measure = 'cost' then opened.expected_usd else opened.baseline_usd end as decimal(38, 12)
    ) as expected,
    opened.z,
    opened.threshold,
    opened.baseline_usd,
    opened.delta_usd,
    opened.unpriced_attempts > 0 as delta_is_understated,
    windows.* exclude (alert_id, first_day_hours),
    opened.total_excess_usd,
    opened.spike_type,
    case when opened.spike_type = 'token' then opened.token_direction end as token_direction,
    -- another type that the evidence does not rule out
    case
        when opened.spike_type in ('deploy', 'cache')
        then 'token'
        when opened.spike_type in ('abuse', 'concentration', 'retry')
        then 'volume'
        when opened.spike_type = 'token'
        then 'retry'
        when opened.spike_type = 'unknown_model'
        then 'price_mix'
        when opened.spike_type = 'price_mix' and opened.related like '%new_model%'
        then 'new_model'
    end as alternate_spike_types,
    opened.top_driver_dimension,
    opened.top_driver_value,
    opened.top_driver_delta_usd,
    opened.confidence,
    opened.related,
    errors.* exclude (alert_id),
    containment.containment_action,
    coalesce(opened.driver_endpoint_tag, opened.main_endpoint_tag) as endpoint_tag,
    owners.owner,
    owners.runbook_url,
    owners.escalation_channel,
    links.drill_url,
    links.drill_query,
    plans.plan_id,
    days.input_fingerprint
from {{ ref("int_alerts") }} as opened
left join silent on opened.alert_id = silent.alert_id
left join {{ ref("int_alert_starts") }} as starts on opened.alert_id = starts.alert_id
left join {{ ref("int_alert_windows") }} as windows on opened.alert_id = windows.alert_id
left join {{ ref("int_top_errors") }} as errors on opened.alert_id = errors.alert_id
left join {{ ref("int_alert_links") }} as links on opened.alert_id = links.alert_id
left join {{ ref("stg_containment_map") }} as containment on opened.spike_type = containment.spike_type
left join
    {{ ref("stg_endpoint_owners") }} as owners
    on coalesce(opened.driver_endpoint_tag, opened.main_endpoint_tag) = owners.endpoint_tag
left join {{ ref("int_alert_plans") }} as plans on opened.alert_id = plans.alert_id
left join {{ ref("alert_signal_days") }} as days on opened.onset_date = days.event_date
