{{ kept_by_date("alert_signal_days") }}
-- What an endpoint did on an unalerted day of the 28 before, and how that scales to
-- today by its weekday and by the growth of all endpoints.
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set day_scope, usual_days = "signal_date, environment, data_mode", alert_parameter("usual_days") %}
with
    past_leaves as (
        select event_date as signal_date, * exclude (event_date)
        from {{ ref("int_driver_past") }}
        where {{ in_dates("event_date", dates) }}
    ),

    current_leaves as (
        select event_date as signal_date, * exclude (event_date)
        from {{ ref("int_driver_today") }}
        where {{ in_dates("event_date", dates) }}
    ),

    signal_days as (
        select {{ day_scope }}
        from past_leaves
        union
        select {{ day_scope }}
        from current_leaves
    ),

    alerted as (select * from {{ ref("int_masked_days") }}),

    same_weekday as (
        select
            {% for column in day_scope.split(", ") %} signal_days.{{ column }}, {% endfor %}
            days.scope_value as endpoint_tag,
            avg(days.requests) as requests
        from signal_days
        inner join {{ ref("int_watched_series") }} as days using (environment, data_mode)
        left join
            alerted
            on alerted.scope_dimension = 'endpoint'
            and days.environment = alerted.environment
            and days.data_mode = alerted.data_mode
            and days.event_date = alerted.event_date
            and days.scope_value = alerted.scope_value
        where
            days.scope_dimension = 'endpoint'
            and days.event_date between signal_days.signal_date - {{ usual_days }} and signal_days.signal_date - 1
            and extract(dayofweek from days.event_date) = extract(dayofweek from signal_days.signal_date)
            and alerted.event_date is null
        group by all
        having avg(days.requests) > 0
    ),

    calendar as (
        select {{ day_scope }}, count(*) as days
        from signal_days
        inner join {{ ref("int_watched_series") }} as days using (environment, data_mode)
        where
            days.scope_dimension = 'total'
            and days.event_date between signal_days.signal_date - {{ usual_days }} and signal_days.signal_date - 1
        group by all
    ),

    alerted_days as (
        select {{ day_scope }}, scope_value as endpoint_tag, count(*) as days
        from signal_days
        inner join alerted using (environment, data_mode)
        where
            alerted.scope_dimension = 'endpoint'
            and alerted.event_date between signal_days.signal_date - {{ usual_days }} and signal_days.signal_date - 1
        group by all
    ),

    endpoints as (
        select
            {% for column in day_scope.split(", ") %} past.{{ column }}, {% endfor %}
            past.endpoint_tag,
            {% for measure in driver_measures() %} sum(past.{{ measure.name }}) as {{ measure.name }}, {% endfor %}
            greatest(any_value(calendar.days) - coalesce(any_value(alerted_days.days), 0), 1) as days
        from past_leaves as past
        inner join calendar using ({{ day_scope }})
        left join alerted_days using ({{ day_scope }}, endpoint_tag)
        group by all
    ),

    endpoint_today as (
        select
            {{ day_scope }},
            endpoint_tag,
            sum(requests) as requests_today,
            sum(usd) as usd_today,
            sum(usd_squares) as usd_squares_today
        from current_leaves
        group by {{ day_scope }}, endpoint_tag
    ),

    -- all endpoints together grow or shrink: that is not an incident of one of them
    growth as (
        select
            {% for column in day_scope.split(", ") %} endpoint_today.{{ column }}, {% endfor %}
            median(
                endpoint_today.requests_today / nullif(
                    coalesce(same_weekday.requests, endpoints.requests / endpoints.days)
                    * coalesce(shares.usual_share, 1),
                    0
                )
            ) as factor
        from endpoint_today
        inner join endpoints using ({{ day_scope }}, endpoint_tag)
        left join same_weekday using ({{ day_scope }}, endpoint_tag)
        left join {{ ref("int_judged_shares") }} as shares using ({{ day_scope }}, endpoint_tag)
        group by all
    ),

    usage as (select * from endpoint_today full join endpoints using ({{ day_scope }}, endpoint_tag))

select
    usage.signal_date as event_date,
    usage.environment,
    usage.data_mode,
    usage.endpoint_tag,
    coalesce(same_weekday.requests / nullif(usage.requests / usage.days, 0), 1) * greatest(
        {{ alert_parameter("smallest_growth") }},
        least({{ alert_parameter("largest_growth") }}, coalesce(growth.factor, 1))
    )
    / usage.days
    * coalesce(shares.usual_share, 1) as scale,
    coalesce(
        usage.usd / nullif(usage.requests, 0), usage.usd_today / nullif(usage.requests_today, 0), 0
    ) as usd_per_request,
    coalesce(usage.attempts / nullif(usage.requests, 0), 1) as attempts_per_request,
    coalesce(usage.usd / nullif(usage.attempts, 0), 0) as usd_per_attempt,
    greatest(
        coalesce(usage.usd_squares / nullif(usage.usd, 0), 0),
        coalesce(usage.usd_squares_today / nullif(usage.usd_today, 0), 0)
    ) as usd_per_call
from usage
left join same_weekday using ({{ day_scope }}, endpoint_tag)
left join growth using ({{ day_scope }})
left join {{ ref("int_judged_shares") }} as shares using ({{ day_scope }}, endpoint_tag)
