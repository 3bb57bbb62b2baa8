{{ kept_by_date("alert_signal_days") }}
-- Only named members that spend enough today can be a driver; the others are grouped as
-- one.
{%- set dates = dates_with_signals(dirty_dates()) %}
with
    signal_days as (
        select event_date, environment, data_mode, min(usual_spend_usd) as usual_spend_usd
        from {{ ref("int_alert_signals") }}
        where {{ in_dates("event_date", dates) }} and observed > expected
        group by event_date, environment, data_mode
    ),

    usage as (select * from {{ ref("int_judged_usage") }} where {{ in_dates("event_date", dates) }})

{% for dimension in leaf_dimensions() if dimension.name in ["tenant", "user"] %}
    select
        usage.event_date,
        usage.environment,
        usage.data_mode,
        '{{ dimension.name }}' as dimension,
        usage.{{ dimension.column }} as member
    from signal_days
    inner join usage on {{ same_day_scope("signal_days", "usage") }}
    where usage.{{ dimension.column }} <> '(unattributed)'
    group by
        usage.event_date, usage.environment, usage.data_mode, usage.{{ dimension.column }}, signal_days.usual_spend_usd
    having
        sum(usage.watched_usd) >= greatest(
            {{ alert_parameter("large_member_share") }} * signal_days.usual_spend_usd,
            {{ alert_parameter("large_member_usd") }}
        )
        {{ "union all" if not loop.last }}
{% endfor %}
