{{ kept_by_date("alert_signal_days") }}
-- Hours of an endpoint with many more calls than usual, of which many more fail. The
-- row is about the whole day.
{%- set dates = dirty_dates() %}
{%- set usual_days = alert_parameter("usual_days") %}
{%- set endpoint_key = "environment, data_mode, endpoint_tag" %}
with
    hours as (
        select hours.*
        from {{ ref("int_endpoint_hours") }} as hours
        left join {{ ref("int_open_hours") }} as open using (event_date, environment, data_mode)
        where
            {{ in_dates("event_date", with_neighbours(dates, usual_days, 0)) }}
            and hours.hour_of_day <= coalesce(open.through_hour, 23)
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

    usual_daily as (
        select
            *,
            sum(attempts) over {{ last_days(endpoint_key, usual_days) }} as past_attempts,
            sum(successes) over {{ last_days(endpoint_key, usual_days) }} as past_successes,
            sum(cost_usd) over {{ last_days(endpoint_key, usual_days) }} as past_cost_usd,
            count(*) over {{ last_days(endpoint_key, usual_days) }} as past_days,
            avg(attempts) over {{ last_days(endpoint_key ~ ", extract(dayofweek from event_date)", usual_days, 7) }}
            as weekday_attempts
        from days
    ),

    usual_hourly as (
        select *, sum(attempts) over {{ last_days(endpoint_key ~ ", hour_of_day", usual_days) }} as past_hour_attempts
        from hours
    ),

    expected as (
        select
            usual_hourly.*,
            usual_daily.past_attempts,
            usual_daily.past_successes,
            cast(usual_daily.past_cost_usd as double) / usual_daily.past_attempts as usd_per_attempt,
            greatest(
                coalesce(usual_hourly.past_hour_attempts, 0)
                / usual_daily.past_days
                * coalesce(usual_daily.weekday_attempts * usual_daily.past_days / usual_daily.past_attempts, 1),
                {{ alert_parameter("fewest_expected_attempts") }}
            ) as expected_attempts
        from usual_hourly
        inner join usual_daily using ({{ endpoint_key }}, event_date)
        where
            usual_daily.past_days >= {{ alert_parameter("fewest_burst_days") }}
            and {{ in_dates("usual_hourly.event_date", dates) }}
    ),

    judged as (
        select
            *,
            (attempts - expected_attempts) / sqrt(
                expected_attempts + {{ alert_parameter("hourly_variance") }} * expected_attempts * expected_attempts
            ) as attempts_z,
            (cast(successes as double) / attempts - cast(past_successes as double) / past_attempts) / sqrt(
                (cast(successes + past_successes as double) / (attempts + past_attempts)) * greatest(
                    1 - cast(successes + past_successes as double) / (attempts + past_attempts),
                    {{ alert_parameter("smallest_failure_share") }}
                )
                * (1.0 / attempts + 1.0 / past_attempts)
            ) as success_z,
            cast(past_successes as double) / past_attempts - cast(successes as double) / attempts as success_drop
        from expected
    )

select
    judged.environment,
    judged.data_mode,
    'endpoint' as scope_dimension,
    judged.endpoint_tag as scope_value,
    judged.event_date,
    spend.usual_spend_usd,
    sum(judged.attempts * judged.usd_per_attempt) as observed,
    sum(judged.expected_attempts * judged.usd_per_attempt) as expected,
    round(max(least(judged.attempts_z, - judged.success_z)), 6) as z,
    min(judged.hour_of_day) as first_hour,
    max(judged.hour_of_day) as last_hour
from judged
inner join {{ ref("int_usual_spend") }} as spend using (environment, data_mode, event_date)
where
    judged.attempts_z >= {{ alert_parameter("burst_z") }}
    and judged.success_z <= -{{ alert_parameter("burst_z") }}
    and judged.success_drop >= {{ alert_parameter("burst_success_drop") }}
    and judged.attempts >= {{ alert_parameter("burst_attempts") }}
group by judged.environment, judged.data_mode, judged.endpoint_tag, judged.event_date, spend.usual_spend_usd
