{{ kept_by_date("alert_signal_days") }}
-- The series that rose, so that a driver is searched for. Leaves expect their mean, a
-- series expects its median: what a segment explains of a series is counted in the
-- series' terms, by `leaf_scale`.
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set day_scope = "event_date, environment, data_mode" %}
with
    signals as (
        select
            *,
            row_number() over (
                partition by {{ day_scope }} order by alert_type, measure, scope_dimension, scope_value
            ) as signal_id
        from {{ ref("int_alert_signals") }}
        where {{ in_dates("event_date", dates) }} and observed > expected
    ),

    leaves as (
        select * from {{ ref("int_driver_leaves") }} where {{ in_dates("event_date", dates) }} and effect = 'cost'
    ),

    scales as (
        select
            signals.event_date,
            signals.environment,
            signals.data_mode,
            signals.signal_id,
            sum(leaves.expected_usd) as expected_usd
        from signals
        inner join leaves on {{ in_series("leaves", "signals") }}
        group by signals.event_date, signals.environment, signals.data_mode, signals.signal_id
    )

select signals.*, coalesce(signals.expected / nullif(scales.expected_usd, 0), 1) as leaf_scale
from signals
left join scales using ({{ day_scope }}, signal_id)
