{{ config(materialized="view") }}
-- The hour from which an alert stays above its bar: of all hours of the first day, the
-- one since which it exceeds the bar by the most. The bar of an hour lies halfway
-- between what is usual for it and what the day makes of that. Counted is what the
-- spike type moves: tries, requests or dollars.
{%- set counted = {
    "tries": "greatest(hours.{side}_attempts - hours.{side}_requests, 0)",
    "requests": "hours.{side}_requests",
    "dollars": "hours.{side}_usd",
} %}
with
    hours as (
        select
            hours.alert_id,
            hours.event_date,
            hours.hour_of_day,
            hours.observed_attempts > 0 as has_calls,
            {% for side in ["observed", "baseline"] %}
                cast(
                    case
                        when alerts.spike_type = 'retry'
                        then {{ counted.tries.format(side=side) }}
                        when alerts.spike_type in ('volume', 'abuse', 'concentration')
                        then {{ counted.requests.format(side=side) }}
                        else {{ counted.dollars.format(side=side) }}
                    end as double
                ) as {{ side }} {{- "," if not loop.last }}
            {% endfor %}
        from {{ ref("int_alert_hours") }} as hours
        inner join
            {{ ref("int_alerts") }} as alerts
            on hours.alert_id = alerts.alert_id
            and hours.event_date = alerts.onset_date
    ),

    days as (select alert_id, sum(observed) / nullif(sum(baseline), 0) as ratio from hours group by alert_id),

    above as (
        select
            hours.*,
            -- from this hour to the end of the day
            sum(
                hours.observed
                - hours.baseline
                * least(
                    greatest((1 + coalesce(days.ratio, 1)) / 2, {{ alert_parameter("smallest_start_ratio") }}),
                    {{ alert_parameter("largest_start_ratio") }}
                )
            ) over (partition by hours.alert_id order by hours.hour_of_day desc) as above_bar
        from hours
        inner join days on hours.alert_id = days.alert_id
    )

select
    alert_id,
    cast(
        {{ dbt.dateadd("hour", "cast(max_by(hour_of_day, round(above_bar, 6)) as integer)", "any_value(event_date)") }}
        as timestamp
    ) as started_at
from above
where has_calls
group by alert_id
