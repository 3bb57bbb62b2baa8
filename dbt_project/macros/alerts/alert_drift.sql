{#- What identifies a series. -#}
{% macro drift_series_key() %} {{ return("environment, data_mode, scope_dimension, scope_value") }} {% endmacro %}

{#- The cost (or the requests, in dollars) of every watched series on `dates`, judged against its own past;
    docs/alerts.md explains the method. `alerted` names the series' days that are left out of the past: what is planned
    and, in the second pass, what stood out in the first. -#}
{% macro judged_drift(dates, measure, alerted, is_second_pass=false) %}
    with
        forecasts as ({{ drift_forecasts(dates, measure, alerted) }}),

        expectations as (select *, {{ drift_expectation() }} as expected_with_offset, 0 as timing_error from forecasts),

        surprises as ({{ drift_surprises("expectations") }}),

        pools as (
            {{ tails_of_kind("surprises", "is_watched and is_seasonal and not is_pause", dates, is_second_pass) }}
        )

    select
        {{ drift_series_key() }},
        event_date,
        usual_spend_usd,
        {#- a request of today may be cheaper than an earlier one: the smaller figure is the cautious one -#}
        {%- set dollars = (
            "coalesce(least(usd_per_observed, watched_usd / nullif(observed, 0)), 0)"
            if measure == "requests"
            else "1"
        ) %}
        observed * {{ dollars }} as observed,
        greatest(expected_with_offset - offset_usd, 0) * {{ dollars }} as expected,
        is_seasonal,
        round(surprise / coalesce(tail_factor, 1), 6) as z
    from surprises
    left join pools using (environment, data_mode, scope_dimension, event_date)
    where {{ in_dates("event_date", dates) }} and is_watched
{% endmacro %}

{#- What a day is expected to reach, near nothing included; unknown for a series that is hardly there. -#}
{% macro drift_expectation() -%}
    case
        when is_seasonal
        then seasonal_forecast
        when active_days >= {{ alert_parameter("fewest_days_of_a_young_series") }}
        then usual_when_active + offset_usd
    end
{%- endmacro %}

{#- How surprising what is observed is, as dollars come in calls: of two days of equal cost the one with fewer and larger
    calls is weaker evidence. `timing_error`: by how much the hour alone may be off, for a part of a day. -#}
{% macro drift_surprises(expectations) %}
    select *, sign(observed + offset_usd - expected_with_offset) * sqrt(2 * greatest(deviance, 0)) as surprise
    from
        (
            select
                *,
                (observed + offset_usd) / usd_per_unit * ln((observed + offset_usd) / expected_with_offset)
                - (observed + offset_usd - expected_with_offset) / usd_per_unit as deviance
            from
                (
                    select
                        *,
                        usd_per_call
                        + expected_with_offset
                        * (
                            case
                                when is_seasonal
                                then
                                    greatest(
                                        usual_error * usual_error - usd_per_call / expected_with_offset,
                                        {{ alert_parameter("smallest_error") }}
                                        * {{ alert_parameter("smallest_error") }}
                                    )
                                else {{ alert_parameter("young_error") }} * {{ alert_parameter("young_error") }}
                            end
                            + timing_error * timing_error
                        ) as usd_per_unit
                    from
                        (
                            select
                                *,
                                greatest(
                                    coalesce(squares_lately / nullif(observed_lately, 0), 0),
                                    coalesce(observed_squares / nullif(observed, 0), 0),
                                    offset_usd / {{ alert_parameter("most_assumed_calls") }}
                                ) as usd_per_call
                            from {{ expectations }}
                            where expected_with_offset > 0
                        ) as sized
                ) as weighted
        ) as deviating
{% endmacro %}

{#- Every series that is large enough to judge on `dates`, with every day of the past that it is judged by: its
    figures, and whether it stood out. -#}
{% macro drift_series(dates, measure, alerted) %}
    {%- set series_key = drift_series_key() -%}
    {%- set read_dates = with_neighbours(dates, alert_parameter("history_days"), 0) -%}
    with
        calendar as (select event_date from ({{ judged_dates() }}) where {{ in_dates("event_date", read_dates) }}),

        -- a version's cost starts at zero and returns there with every deploy: versions
        -- are judged by their cost per request
        series as (
            select
                {{ series_key }},
                event_date,
                cast(watched_usd as double) as watched_usd,
                {% if measure == "requests" %}
                    cast(requests as double) as observed, cast(requests as double) as observed_squares
                {% else %} cast(watched_usd as double) as observed, watched_usd_squares as observed_squares
                {% endif %}
            from {{ ref("int_watched_series") }}
            where
                {{ in_dates("event_date", read_dates) }}
                and scope_dimension <> 'endpoint x prompt_version'
                -- usage without a name is neither a tenant nor a user
                and not (scope_dimension in ('tenant', 'user') and scope_value = '(unattributed)')
        ),

        environment_modes as (select distinct environment, data_mode from series),

        totals as (
            select
                environment_modes.environment,
                environment_modes.data_mode,
                calendar.event_date,
                nullif(total.observed, 0) as observed,
                nullif(total.watched_usd, 0) as watched_usd
            from environment_modes
            cross join calendar
            left join
                series as total
                on environment_modes.environment = total.environment
                and environment_modes.data_mode = total.data_mode
                and calendar.event_date = total.event_date
                and total.scope_dimension = 'total'
        ),

        spend as (
            select
                *,
                median(observed) over {{ last_days("environment, data_mode", alert_parameter("usual_days")) }}
                as usual_total,
                median(watched_usd) over {{ last_days("environment, data_mode", alert_parameter("usual_days")) }}
                as usual_spend_usd,
                observed is null and not {{ is_silent_by_habit("environment, data_mode") }} as is_pause
            from totals
        ),

        -- the dollar floor comes first, so that thousands of tiny series take no time
        least_spend as (
            select environment, data_mode, min(usual_spend_usd) as usual_spend_usd
            from spend
            group by environment, data_mode
        ),

        members as (
            select {{ series_key }}
            from series
            inner join least_spend using (environment, data_mode)
            group by {{ series_key }}, least_spend.usual_spend_usd
            having
                max(watched_usd) >= greatest(
                    {{ alert_parameter("smallest_watched_share") }} * least_spend.usual_spend_usd,
                    {{ alert_parameter("smallest_watched_usd") }}
                )
        )

    select
        {% for column in series_key.split(", ") %} members.{{ column }}, {% endfor %}
        spend.event_date,
        spend.usual_spend_usd,
        spend.usual_total,
        spend.is_pause,
        coalesce(series.watched_usd, 0) as watched_usd,
        coalesce(series.observed, 0) as observed,
        coalesce(series.observed_squares, 0) as observed_squares,
        alerted.event_date is not null as is_alerted
    from members
    inner join spend using (environment, data_mode)
    left join series using ({{ series_key }}, event_date)
    left join {{ alerted }} as alerted using ({{ series_key }}, event_date)
{% endmacro %}

{#- The same with the recent dollars and days of each series. -#}
{% macro drift_days(dates, measure, alerted) %}
    {%- set series_key = drift_series_key() -%}
    {%- set usual_days, watched_days = alert_parameter("usual_days"), alert_parameter("watched_days") -%}
    {%- set is_active = "case when observed > 0 then 1 else 0 end" -%}
    with
        series_days as ({{ drift_series(dates, measure, alerted) }}),

        active as (
            select
                *,
                {{ alert_parameter("near_nothing_share") }} * usual_total as offset_usd,
                sum(case when not is_alerted then watched_usd end) over {{ last_days(series_key, usual_days) }}
                / nullif(
                    sum(case when not is_alerted then observed end) over {{ last_days(series_key, usual_days) }}, 0
                ) as usd_per_observed,
                max(watched_usd) over {{ last_days(series_key, watched_days, 0) }} as largest_lately,
                max(watched_usd) over {{ last_days(series_key, watched_days) }} as largest_before,
                sum({{ is_active }}) over {{ last_days(series_key, usual_days - 1, 0) }} as active_days_with_today,
                sum({{ is_active }}) over {{ last_days(series_key, usual_days) }} as active_days,
                sum(case when observed > 0 or is_pause then 1 else 0 end) over {{ last_days(series_key, usual_days) }}
                as active_or_paused_days,
                sum({{ is_active }}) over {{ last_days(series_key, watched_days, usual_days) }} > 0 as is_grown,
                sum({{ is_active }}) over {{ last_days(series_key, watched_days, alert_parameter("level_days")) }}
                > 0 as is_half_grown,
                sum(case when not is_alerted then observed end) over {{ last_days(series_key, usual_days) }}
                as observed_lately,
                sum(case when not is_alerted then observed_squares end) over {{ last_days(series_key, usual_days) }}
                as squares_lately
            from series_days
        )

    select
        *,
        -- a day without calls, though that weekday usually has some, is not a low day:
        -- it is unknown
        case
            when not is_alerted and not is_pause and active_days_with_today > 0 then ln(observed + offset_usd)
        end as log_cost,
        -- by date: which series are members depends on the dates that are judged
        -- together
        largest_lately >= {{ least_watched_usd() }} as is_watched
    from active
    where usual_spend_usd > 0
{% endmacro %}

{#- What a series has to reach on its largest day to be looked at. -#}
{% macro least_watched_usd() -%}
    greatest(
        {{ alert_parameter("smallest_watched_share") }} * usual_spend_usd, {{ alert_parameter("smallest_watched_usd") }}
    )
{%- endmacro %}

{#- The same with the forecast of each day, and the recent errors of such forecasts. -#}
{% macro drift_forecasts(dates, measure, alerted) %}
    {%- set series_key = drift_series_key() -%}
    {%- set usual_days = alert_parameter("usual_days") -%}
    with
        days as ({{ drift_days(dates, measure, alerted) }}),

        own_bases as (
            select
                *,
                is_half_grown
                and active_days >= {{ alert_parameter("fewest_active_days") }}
                and active_or_paused_days >= {{ alert_parameter("fewest_comparable_days") }} as is_comparable,
                median(
                    log_cost
                ) over {{ last_days(series_key ~ ", extract(dayofweek from event_date)", usual_days, 7) }} as own_base,
                median(
                    case when observed > 0 and not is_alerted then observed end
                ) over {{ last_days(series_key, usual_days) }} as usual_when_active
            from days
        ),

        total_bases as (
            select
                environment,
                data_mode,
                event_date,
                own_base + coalesce(
                    median(
                        log_cost - own_base
                    ) over {{ last_days("environment, data_mode", alert_parameter("level_days")) }},
                    0
                ) as total_base
            from own_bases
            where scope_dimension = 'total'
        ),

        -- two forecasts: by the weekdays of the total, which are steadier, and by the
        -- series' own
        forecasts as (
            select
                *,
                total_base
                + {{ level("case when is_comparable then log_cost - total_base end", series_key) }} as total_forecast,
                own_base + coalesce(
                    {{ level("case when is_comparable then log_cost - own_base end", series_key) }}, 0
                ) as own_forecast
            from own_bases
            left join total_bases using (environment, data_mode, event_date)
        ),

        -- what most endpoints do on a day is not evidence about one of them, but about
        -- the total, which has no factor
        day_factors as (
            select
                environment,
                data_mode,
                event_date,
                median(log_cost - total_forecast) as total_factor,
                median(log_cost - own_forecast) as own_factor
            from forecasts
            where scope_dimension = 'endpoint' and is_watched and is_comparable
            group by environment, data_mode, event_date
            having count(log_cost - total_forecast) >= {{ alert_parameter("fewest_endpoints_of_a_day_factor") }}
        ),

        factored as (
            select
                forecasts.* exclude (total_forecast, own_forecast),
                coalesce(day_factors.total_factor, 0) as total_factor,
                coalesce(day_factors.own_factor, 0) as own_factor,
                forecasts.total_forecast + coalesce(day_factors.total_factor, 0) as total_forecast,
                forecasts.own_forecast + coalesce(day_factors.own_factor, 0) as own_forecast
            from forecasts
            left join
                day_factors on {{ same_day_scope("forecasts", "day_factors") }} and forecasts.scope_dimension <> 'total'
        ),

        errors as (
            select
                *,
                case when is_comparable then log_cost - total_forecast end as total_error,
                case when is_comparable then log_cost - own_forecast end as own_error
            from factored
        ),

        skills as (
            select
                *,
                {% for forecast in ["total", "own"] %}
                    median(abs({{ forecast }}_error)) over {{ last_days(series_key, usual_days) }}
                    * {{ alert_parameter("sigmas_per_mad") }} as {{ forecast }}_sigma,
                {% endfor %}
                -- a mean, because a series that runs on one day of the week misses on
                -- that day only
                {%- set largest = alert_parameter("largest_counted_error") %}
                total_forecast is null
                or coalesce(
                    avg(least(abs(own_error), {{ largest }})) over {{ last_days(series_key, usual_days) }}
                    < {{ alert_parameter("own_weekdays_gain") }}
                    * avg(least(abs(total_error), {{ largest }})) over {{ last_days(series_key, usual_days) }},
                    false
                ) as has_own_weekdays,
                count(own_error) over {{ last_days(series_key, usual_days) }} as error_days
            from errors
        )

    select
        *,
        exp(case when has_own_weekdays then own_forecast else total_forecast end) as seasonal_forecast,
        exp(case when has_own_weekdays then own_factor else total_factor end) as day_factor,
        case
            when error_days < {{ alert_parameter("fewest_active_days") }}
            then {{ alert_parameter("unknown_error") }}
            when has_own_weekdays
            then own_sigma
            else total_sigma
        end as usual_error,
        is_grown
        and active_days >= {{ alert_parameter("fewest_active_days") }}
        and active_or_paused_days >= {{ alert_parameter("fewest_seasonal_days") }}
        and own_forecast is not null as is_seasonal
    from skills
{% endmacro %}

{#- Whether something never calls on such a weekday (closed on Sundays, a batch on Mondays): there were calls within the last week, and
    none on three of this weekday in the last four, counted from the first call of these weeks on. -#}
{% macro is_silent_by_habit(keys) -%}
    {%- set usual_days = alert_parameter("usual_days") -%}
    (
        count(observed) over {{ last_days(keys, 7) }} > 0
        and floor(
            {{
                dbt.datediff(
                    "(min(case when observed > 0 then event_date end) over " ~ last_days(keys, usual_days) ~ ")",
                    "event_date",
                    "day",
                )
            }} / 7
        )
        - count(observed) over {{ last_days(keys ~ ", extract(dayofweek from event_date)", usual_days, 7) }}
        >= {{ alert_parameter("habit_weeks") }}
    )
{%- endmacro %}

{#- The recent level of a series: half from the last two weeks, half from the last days, because a level that has
    moved since is the better guide. -#}
{% macro level(value, keys) -%}
    {%- set all_days = last_days(keys, alert_parameter("level_days")) -%}
    (
        median({{ value }}) over {{ all_days }} + coalesce(
            median({{ value }}) over {{ last_days(keys, alert_parameter("recent_level_days")) }},
            median({{ value }}) over {{ all_days }}
        )
    )
    / 2
{%- endmacro %}
