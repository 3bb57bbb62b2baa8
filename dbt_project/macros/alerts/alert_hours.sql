{#- The cost of every watched series on `dates`, which are not complete, through each hour that counts, judged against the forecast of
    the day times the usual share of a day by then. `alerted` are days that are left out of the past. -#}
{% macro judged_drift_by_hour(dates, alerted) %}
    {%- set series_key = drift_series_key() -%}
    with
        forecasts as ({{ drift_forecasts(dates, "cost", alerted) }}),

        -- without what all endpoints do on the day, which is not over
        days as (
            select
                * exclude (day_factor),
                {{ drift_expectation() }} / case when is_seasonal then day_factor else 1 end as expected_by_midnight
            from forecasts
        ),

        -- an endpoint has hours of its own, what crosses endpoints those of the total
        timed as (
            select
                days.* exclude (observed, observed_squares, offset_usd, watched_usd, is_watched),
                hours.hour_of_day,
                greatest(coalesce(days.largest_before, 0), cast(hours.watched_usd as double))
                >= {{ least_watched_usd() }} as is_watched,
                cast(hours.watched_usd as double) as observed,
                hours.watched_usd_squares as observed_squares,
                coalesce(own.usual_share, total.usual_share) as usual_share,
                days.offset_usd * coalesce(own.usual_share, total.usual_share) as offset_usd,
                days.expected_by_midnight * coalesce(own.usual_share, total.usual_share) as expected_with_offset,
                greatest(
                    coalesce(own.timing_error, total.timing_error),
                    case
                        when days.scope_dimension in ('tenant', 'user', 'model')
                        then {{ alert_parameter("timing_error_of_members") }}
                        else 0
                    end
                ) as timing_error
            from days
            inner join {{ ref("int_open_series") }} as hours using ({{ series_key }}, event_date)
            inner join
                {{ ref("int_hour_shares") }} as total
                on days.environment = total.environment
                and days.data_mode = total.data_mode
                and days.event_date = total.event_date
                and hours.hour_of_day = total.hour_of_day
                and total.scope_dimension = 'total'
            left join
                {{ ref("int_hour_shares") }} as own
                on days.environment = own.environment
                and days.data_mode = own.data_mode
                and days.event_date = own.event_date
                and hours.hour_of_day = own.hour_of_day
                and own.scope_dimension = 'endpoint'
                and days.scope_dimension in ('endpoint', 'endpoint x model')
                and split_part(days.scope_value, ' | ', 1) = own.scope_value
                and own.days >= {{ alert_parameter("fewest_active_days") }}
            where {{ in_dates("event_date", dates) }} and days.expected_by_midnight > 0
        ),

        -- what all endpoints do by an hour of this day
        factors as (
            select
                environment,
                data_mode,
                event_date,
                hour_of_day,
                median((observed + offset_usd) / expected_with_offset) as day_factor
            from timed
            where scope_dimension = 'endpoint' and is_watched and is_comparable and expected_with_offset > 0
            group by environment, data_mode, event_date, hour_of_day
            having count(*) >= {{ alert_parameter("fewest_endpoints_of_a_day_factor") }}
        ),

        expectations as (
            select
                timed.* exclude (expected_with_offset),
                timed.expected_with_offset * case
                    when scope_dimension = 'total' then 1 else greatest(coalesce(day_factor, 1), 1)
                end as expected_with_offset
            from timed
            left join factors using (environment, data_mode, event_date, hour_of_day)
        ),

        surprises as ({{ drift_surprises("expectations") }}),

        daily as (select *, expected_by_midnight as expected_with_offset, 0 as timing_error from days),

        daily_surprises as ({{ drift_surprises("daily") }}),

        pools as ({{ tails_of_kind("daily_surprises", "is_watched and is_seasonal and not is_pause", dates, true) }})

    select
        {{ series_key }},
        event_date,
        hour_of_day,
        usual_spend_usd,
        usual_share,
        observed,
        greatest(expected_with_offset - offset_usd, 0) as expected,
        is_seasonal,
        round(surprise / coalesce(tail_factor, 1), 6) as z
    from surprises
    left join pools using (environment, data_mode, scope_dimension, event_date)
    where is_watched
{% endmacro %}
