{{ kept_by_date("costed_usage_days") }}
-- Versions belong to their endpoint: v7 of two endpoints are two versions.
with usage as (select * from {{ ref("int_costed_usage") }} where {{ in_dates("event_date", dirty_dates()) }})

{% for dimension, columns in watched_series().items() %}
    select
        event_date,
        environment,
        data_mode,
        '{{ dimension }}' as scope_dimension,
        {{ columns | join(" || ' | ' || ") or "'all'" }} as scope_value,
        cast(sum(requests) as bigint) as requests,
        cast(sum(attempts) as bigint) as attempts,
        cast(sum(billed_attempts) as bigint) as billed_attempts,
        cast(sum(successes) as bigint) as successes,
        cast(sum(tokens) as decimal(38, 0)) as tokens,
        cast(sum(unpriced_attempts) as bigint) as unpriced_attempts,
        cast(sum(exposure_usd) as decimal(38, 12)) as exposure_usd,
        cast(sum(watched_usd) as decimal(38, 12)) as watched_usd,
        sum(watched_usd_squares) as watched_usd_squares,
        cast(sum(typical_calls) as bigint) as typical_calls,
        sum(cost_usd_logs) as cost_usd_logs,
        sum(cost_usd_log_squares) as cost_usd_log_squares
    from usage
    -- by the composed name: two segments whose names read the same are one series
    group by event_date, environment, data_mode, scope_value {{ "union all" if not loop.last }}
{% endfor %}
