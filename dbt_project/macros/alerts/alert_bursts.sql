{#- Hours of an endpoint on `dates` with many more calls than usual of which many more fail. -#}
{% macro judged_bursts(dates) %}
    {%- set endpoint_key = "environment, data_mode, endpoint_tag" -%}
    with
        hours as (
            select *
            from {{ ref("int_endpoint_hours") }}
            where {{ in_dates("event_date", with_neighbours(dates, 28, 0)) }}
        ),

        days as (
            select
                {{ endpoint_key }},
                event_date,
                sum(attempts) as attempts,
                sum(successes) as successes,
                sum(cost_usd) as cost_usd
            from hours
            group by {{ endpoint_key }}, event_date
        ),

        usual_days as (
            select
                *,
                sum(attempts) over {{ last_days(endpoint_key, 28) }} as past_attempts,
                sum(successes) over {{ last_days(endpoint_key, 28) }} as past_successes,
                sum(cost_usd) over {{ last_days(endpoint_key, 28) }} as past_cost_usd,
                count(*) over {{ last_days(endpoint_key, 28) }} as past_days,
                avg(attempts) over {{ last_days(endpoint_key ~ ", extract('dayofweek' from event_date)", 28, 7) }}
                as weekday_attempts
            from days
        ),

        usual_hours as (
            select *, sum(attempts) over {{ last_days(endpoint_key ~ ", hour_of_day", 28) }} as past_hour_attempts
            from hours
        ),

        expected as (
            select
                usual_hours.*,
                usual_days.past_attempts,
                usual_days.past_successes,
                cast(usual_days.past_cost_usd as double) / usual_days.past_attempts as usd_per_attempt,
                greatest(
                    coalesce(usual_hours.past_hour_attempts, 0)
                    / usual_days.past_days
                    * coalesce(usual_days.weekday_attempts * usual_days.past_days / usual_days.past_attempts, 1),
                    0.5
                ) as expected_attempts
            from usual_hours
            inner join usual_days using ({{ endpoint_key }}, event_date)
            where usual_days.past_days >= 14 and {{ in_dates("usual_hours.event_date", dates) }}
        ),

        judged as (
            select
                *,
                (attempts - expected_attempts)
                / sqrt(expected_attempts + 0.04 * expected_attempts * expected_attempts) as attempts_z,
                (cast(successes as double) / attempts - cast(past_successes as double) / past_attempts) / sqrt(
                    (cast(successes + past_successes as double) / (attempts + past_attempts))
                    * greatest(1 - cast(successes + past_successes as double) / (attempts + past_attempts), 0.0001)
                    * (1.0 / attempts + 1.0 / past_attempts)
                ) as success_z,
                cast(past_successes as double) / past_attempts - cast(successes as double) / attempts as success_drop
            from expected
        )

    select
        environment,
        data_mode,
        'endpoint' as scope_dimension,
        endpoint_tag as scope_value,
        event_date,
        sum(attempts * usd_per_attempt) as observed,
        sum(expected_attempts * usd_per_attempt) as expected,
        round(max(least(attempts_z, - success_z)), 6) as z,
        min(hour_of_day) as first_hour,
        max(hour_of_day) as last_hour
    from judged
    where attempts_z >= 4 and success_z <= -4 and success_drop >= 0.02 and attempts >= 20
    group by {{ endpoint_key }}, event_date
{% endmacro %}
