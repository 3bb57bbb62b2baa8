{#- Days that a judgement looks back, each to where the next begins: 28 of the tails of its kind, 28 of noise, 14 of a series' drift,
    14 of the whole scope's, 28 to the same weekdays, and 28 of what was usual then. Less, and a day judged alone would differ
    from a day judged with its past. -#}
{% macro alert_history_days() %} {{ return(140) }} {% endmacro %}

{#- Rows of the last `days` days of a series, today left out or not: every judgement looks back by date, not by row, so that a
    day's judgement is the same whatever else is judged with it. -#}
{% macro last_days(keys, days, until=1) -%}
    (
        partition by {{ keys }}
        order by event_date range between interval {{ days }} days preceding and interval {{ until }} days preceding
    )
{%- endmacro %}

{#- Where a series stands lately: half of it by the last 14 days, half by the last 5, for a level that moved since says more. -#}
{% macro level(value, keys) -%}
    (
        median({{ value }}) over {{ last_days(keys, 14) }} + coalesce(
            median({{ value }}) over {{ last_days(keys, 5) }}, median({{ value }}) over {{ last_days(keys, 14) }}
        )
    )
    / 2
{%- endmacro %}

{#- Endpoints that a day must have before what they have in common is taken for the day's: of fewer, a few that rise are most of them. -#}
{% macro fewest_endpoints_of_a_day_factor() %} {{ return(8) }} {% endmacro %}

{#- What a scope usually spends on a day, by its 28 days before, and how many of those there were. -#}
{% macro usual_spend(dates=none) %}
    select
        environment,
        data_mode,
        event_date,
        median(cast(watched_usd as double)) over {{ last_days("environment, data_mode", 28) }} as usual_spend_usd,
        count(*) over {{ last_days("environment, data_mode", 28) }} as scope_days
    from {{ ref("int_watched_series") }}
    where scope_dimension = 'total' {% if dates is not none %} and {{ in_dates("event_date", dates) }} {% endif %}
{% endmacro %}

{#- By how much series of the same kind surprised more in the 28 days before `dates` than the formula knows: their tails are heavier.
    `condition` says which of them count. -#}
{% macro tails_of_kind(surprises, condition, dates, tail, normal_quantile) %}
    select
        environment,
        data_mode,
        scope_dimension,
        calendar.event_date,
        greatest(1, quantile_cont(abs(surprise), {{ tail }}) / {{ normal_quantile }}) as tail_factor
    from {{ surprises }} as pooled
    inner join
        calendar
        on pooled.event_date between calendar.event_date - 28 and calendar.event_date - 1
        and {{ in_dates("calendar.event_date", dates) }}
    where {{ condition }} and not is_alerted
    group by environment, data_mode, scope_dimension, calendar.event_date
{% endmacro %}

{#- The cost of every watched series on `dates`, judged against its own past (docs/alerts.md has the method in words). `alerted`
    names the series' days that stood out before and are left out of the past; none in a first pass. -#}
{% macro judged_drift(dates, measure, alerted=none, tail=0.9, normal_quantile=1.645) %}
    {%- set read_dates = with_neighbours(dates, alert_history_days(), 0) -%}
    {%- set series_key = "environment, data_mode, scope_dimension, scope_value" -%}
    with
        calendar as (select event_date from {{ ref("alert_days") }} where {{ in_dates("event_date", read_dates) }}),

        -- a version's cost begins at nothing and ends there with every deploy: versions are judged by what a
        -- request costs
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
                -- who has no name is nobody: neither a tenant nor a user
                and not (scope_dimension in ('tenant', 'user') and scope_value = '(unattributed)')
        ),

        scopes as (select distinct environment, data_mode from series),

        spend as (
            select
                scopes.environment,
                scopes.data_mode,
                calendar.event_date,
                median(nullif(total.observed, 0)) over
                {{ last_days("scopes.environment, scopes.data_mode", 28).replace("event_date", "calendar.event_date") }}
                as usual_total,
                median(nullif(total.watched_usd, 0)) over
                {{ last_days("scopes.environment, scopes.data_mode", 28).replace("event_date", "calendar.event_date") }}
                as usual_spend_usd
            from scopes
            cross join calendar
            left join
                series as total
                on scopes.environment = total.environment
                and scopes.data_mode = total.data_mode
                and calendar.event_date = total.event_date
                and total.scope_dimension = 'total'
        ),

        -- the dollar floor first: thousands of tiny series cost nothing
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
                max(watched_usd)
                >= greatest({{ smallest_watched_share() }} * least_spend.usual_spend_usd, {{ smallest_watched_usd() }})
        ),

        grid as (
            select
                {% for column in series_key.split(", ") %} members.{{ column }}, {% endfor %}
                spend.event_date,
                spend.usual_spend_usd,
                spend.usual_total,
                coalesce(series.watched_usd, 0) as watched_usd,
                coalesce(series.observed, 0) as observed,
                coalesce(series.observed_squares, 0) as observed_squares,
                {{ "alerted.event_date is not null" if alerted else "false" }} as is_alerted
            from members
            inner join spend using (environment, data_mode)
            left join series using ({{ series_key }}, event_date)
            {% if alerted %} left join {{ alerted }} as alerted using ({{ series_key }}, event_date) {% endif %}
        ),

        active as (
            select
                *,
                0.002 * usual_total as offset_usd,
                sum(case when not is_alerted then watched_usd end) over {{ last_days(series_key, 28) }} / nullif(
                    sum(case when not is_alerted then observed end) over {{ last_days(series_key, 28) }}, 0
                ) as usd_per_observed,
                max(watched_usd) over {{ last_days(series_key, 42, 0) }} as largest_lately,
                sum(case when observed > 0 then 1 else 0 end) over {{ last_days(series_key, 27, 0) }}
                as active_days_with_today,
                sum(case when observed > 0 then 1 else 0 end) over {{ last_days(series_key, 28) }} as active_days,
                sum(case when observed > 0 then 1 else 0 end) over {{ last_days(series_key, 42, 28) }} > 0 as is_grown,
                sum(case when observed > 0 then 1 else 0 end) over {{ last_days(series_key, 42, 14) }}
                > 0 as is_half_grown,
                sum(case when not is_alerted then observed end) over {{ last_days(series_key, 28) }} as observed_lately,
                sum(case when not is_alerted then observed_squares end) over {{ last_days(series_key, 28) }}
                as squares_lately
            from grid
        ),

        logs as (
            select
                *,
                case when not is_alerted and active_days_with_today > 0 then ln(observed + offset_usd) end as log_cost,
                -- by date: which series are members depends on the dates that are judged together
                largest_lately >= greatest(
                    {{ smallest_watched_share() }} * usual_spend_usd, {{ smallest_watched_usd() }}
                ) as is_watched
            from active
            where usual_spend_usd > 0
        ),

        own_bases as (
            select
                *,
                is_half_grown and active_days >= 10 as is_comparable,
                median(log_cost) over {{ last_days(series_key ~ ", extract('dayofweek' from event_date)", 28, 7) }}
                as own_base,
                median(case when observed > 0 and not is_alerted then observed end) over {{ last_days(series_key, 28) }}
                as usual_when_active
            from logs
        ),

        scope_bases as (
            select
                environment,
                data_mode,
                event_date,
                own_base + coalesce(
                    median(log_cost - own_base) over {{ last_days("environment, data_mode", 14) }}, 0
                ) as scope_base
            from own_bases
            where scope_dimension = 'total'
        ),

        -- two forecasts: by the weekdays of the whole scope, which are steadier, and by the series' own
        forecasts as (
            select
                *,
                scope_base
                + {{ level("case when is_comparable then log_cost - scope_base end", series_key) }} as scope_forecast,
                own_base + coalesce(
                    {{ level("case when is_comparable then log_cost - own_base end", series_key) }}, 0
                ) as own_forecast
            from own_bases
            left join scope_bases using (environment, data_mode, event_date)
        ),

        -- what most endpoints do on a day is no news of one of them: it is news of the total, which goes without
        day_factors as (
            select
                environment,
                data_mode,
                event_date,
                median(log_cost - scope_forecast) as scope_factor,
                median(log_cost - own_forecast) as own_factor
            from forecasts
            where scope_dimension = 'endpoint' and is_watched and is_comparable
            group by environment, data_mode, event_date
            having count(log_cost - scope_forecast) >= {{ fewest_endpoints_of_a_day_factor() }}
        ),

        factored as (
            select
                forecasts.* exclude (scope_forecast, own_forecast),
                scope_forecast + coalesce(scope_factor, 0) as scope_forecast,
                own_forecast + coalesce(own_factor, 0) as own_forecast
            from forecasts
            left join
                day_factors
                on forecasts.environment = day_factors.environment
                and forecasts.data_mode = day_factors.data_mode
                and forecasts.event_date = day_factors.event_date
                and forecasts.scope_dimension <> 'total'
        ),

        errors as (
            select
                *,
                case when is_comparable then log_cost - scope_forecast end as scope_error,
                case when is_comparable then log_cost - own_forecast end as own_error
            from factored
        ),

        skills as (
            select
                *,
                median(abs(scope_error)) over {{ last_days(series_key, 28) }} * 1.4826 as scope_sigma,
                median(abs(own_error)) over {{ last_days(series_key, 28) }} * 1.4826 as own_sigma,
                -- a mean, for a series that runs on one day of the week misses on that day alone
                scope_forecast is null
                or coalesce(
                    avg(least(abs(own_error), 1)) over {{ last_days(series_key, 28) }}
                    < 0.8 * avg(least(abs(scope_error), 1)) over {{ last_days(series_key, 28) }},
                    false
                ) as has_own_weekdays,
                count(own_error) over {{ last_days(series_key, 28) }} as error_days
            from errors
        ),

        chosen as (
            select
                *,
                exp(case when has_own_weekdays then own_forecast else scope_forecast end) as seasonal_forecast,
                case
                    when error_days < 7 then 0.15 when has_own_weekdays then own_sigma else scope_sigma
                end as usual_error,
                is_grown and active_days >= 14 and own_forecast is not null as is_seasonal
            from skills
        ),

        expectations as (
            select
                *,
                case
                    when is_seasonal then seasonal_forecast when active_days >= 3 then usual_when_active + offset_usd
                end as expected_with_offset,
                -- dollars come in calls: of two days of equal cost the one with fewer and larger calls proves less
                greatest(
                    coalesce(squares_lately / nullif(observed_lately, 0), 0),
                    coalesce(observed_squares / nullif(observed, 0), 0),
                    offset_usd / 100
                ) as usd_per_call
            from chosen
        ),

        weights as (
            select
                *,
                usd_per_call
                + expected_with_offset
                * case
                    when is_seasonal
                    then greatest(usual_error * usual_error - usd_per_call / expected_with_offset, 0.03 * 0.03)
                    else 0.5 * 0.5
                end as usd_per_unit
            from expectations
            where expected_with_offset > 0
        ),

        deviances as (
            select
                *,
                (observed + offset_usd) / usd_per_unit * ln((observed + offset_usd) / expected_with_offset)
                - (observed + offset_usd - expected_with_offset) / usd_per_unit as deviance
            from weights
        ),

        surprises as (
            select *, sign(observed + offset_usd - expected_with_offset) * sqrt(2 * greatest(deviance, 0)) as surprise
            from deviances
        ),

        pools as ({{ tails_of_kind("surprises", "is_watched and is_seasonal", dates, tail, normal_quantile) }})

    select
        {{ series_key }},
        event_date,
        usual_spend_usd,
        {#- a request of today may be cheaper than one of before: the smaller figure claims less -#}
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

{#- Dollars of its largest day in six weeks under which a series is not looked at. -#}
{% macro smallest_watched_usd() %} {{ return(0.25) }} {% endmacro %}

{#- Share of a usual day's spend under which a series is not looked at, and whose half is the least excess that is kept for the rules. -#}
{% macro smallest_watched_share() %} {{ return(0.01) }} {% endmacro %}

{#- A positive DOUBLE to two significant digits. -#}
{% macro two_digits(value) -%}
    round({{ value }}, cast(1 - floor(log10(nullif({{ value }}, 0))) as integer))
{%- endmacro %}

{#- What a request takes on `dates` at every endpoint, version and route: in dollars, or in calls that are billed. Judged against the 14
    days before: an endpoint and a route against themselves, a version against its endpoint's other versions. -#}
{% macro judged_intensity(dates, measure, alerted=none, tail=0.9, normal_quantile=1.645) %}
    {%- set read_dates = with_neighbours(dates, alert_history_days(), 0) -%}
    {%- set past_key = "environment, data_mode, past_dimension, past_value" -%}
    with
        calendar as (select event_date from {{ ref("alert_days") }} where {{ in_dates("event_date", read_dates) }}),

        alerted as (
            {% if alerted %}
                select environment, data_mode, scope_dimension as past_dimension, scope_value as past_value, event_date
                from {{ alerted }}
            {% else %}
                select
                    '' as environment,
                    '' as data_mode,
                    '' as past_dimension,
                    '' as past_value,
                    date '0001-01-01' as event_date
                where false
            {% endif %}
        ),

        series as (
            select
                watched.*,
                case
                    when scope_dimension = 'endpoint x model' then scope_dimension else 'endpoint'
                end as past_dimension,
                case
                    when scope_dimension = 'endpoint x model' then scope_value else split_part(scope_value, ' | ', 1)
                end as past_value,
                cast(watched_usd as double) as observed_usd,
                {% if measure == "cost" %}
                    cast(watched_usd as double) / requests as intensity,
                    watched_usd_squares
                    / (cast(watched_usd as double) * cast(watched_usd as double)) as sampling_variance
                {% elif measure == "typical cost" %}
                    exp(cost_usd_logs / typical_calls) as intensity,
                    greatest(cost_usd_log_squares / typical_calls - power(cost_usd_logs / typical_calls, 2), 0)
                    / typical_calls as sampling_variance
                {% else %}
                    cast(billed_attempts as double) / requests as intensity,
                    greatest(billed_attempts - requests, 1.0)
                    / (cast(billed_attempts as double) * billed_attempts) as sampling_variance
                {% endif %}
            from {{ ref("int_watched_series") }} as watched
            where
                {{ in_dates("event_date", read_dates) }}
                and scope_dimension in ('endpoint', 'endpoint x prompt_version', 'endpoint x model')
                and requests >= 5
                and watched_usd > 0
                and {{ "typical_calls >= 5" if measure == "typical cost" else "billed_attempts > 0" }}
        ),

        judgeable as (
            select series.*, alerted.event_date is not null as is_alerted
            from series
            left join alerted using ({{ past_key }}, event_date)
        ),

        spend as ({{ usual_spend(read_dates) }}),

        pasts as (
            select *, case when not is_alerted then ln(intensity) end as log_intensity
            from judgeable
            where scope_dimension = past_dimension
        ),

        usual as (
            select
                *,
                median(log_intensity) over {{ last_days(past_key, 14) }} as usual_log_intensity,
                count(log_intensity) over {{ last_days(past_key, 14) }} as usual_days
            from pasts
        ),

        spreads as (
            select
                {{ past_key }},
                event_date,
                usual_log_intensity,
                usual_days,
                median(abs(log_intensity - usual_log_intensity)) over {{ last_days(past_key, 28) }}
                * 1.4826 as own_sigma,
                median(sampling_variance) over {{ last_days(past_key, 28) }} as usual_sampling_variance,
                median(sampling_variance * requests) over {{ last_days(past_key, 28) }} as variance_of_a_request
            from usual
        ),

        surprises as (
            select
                series.environment,
                series.data_mode,
                series.scope_dimension,
                series.scope_value,
                series.event_date,
                series.is_alerted,
                spend.usual_spend_usd,
                series.observed_usd as observed,
                series.observed_usd * exp(spreads.usual_log_intensity) / series.intensity as expected,
                (ln(series.intensity) - spreads.usual_log_intensity) / sqrt(
                    greatest(
                        power(coalesce(spreads.own_sigma, 0.1), 2) - coalesce(spreads.usual_sampling_variance, 0),
                        0.03 * 0.03
                    )
                    + greatest(series.sampling_variance, spreads.variance_of_a_request / series.requests)
                ) as surprise
            from judgeable as series
            inner join spreads using ({{ past_key }}, event_date)
            inner join spend using (environment, data_mode, event_date)
            where spreads.usual_days >= 7 and spend.usual_spend_usd > 0
        ),

        pools as (
            {{
                tails_of_kind(
                    "surprises",
                    "expected >= " ~ smallest_watched_share() ~ " * usual_spend_usd",
                    dates,
                    tail,
                    normal_quantile,
                )
            }}
        )

    select surprises.*, tail_factor, round(surprise / coalesce(tail_factor, 1), 6) as z
    from surprises
    left join pools using (environment, data_mode, scope_dimension, event_date)
    where {{ in_dates("event_date", dates) }}
{% endmacro %}

{#- Surprise under which nothing is kept for the rules. -#}
{% macro smallest_z() %} {{ return(1) }} {% endmacro %}

{#- Models, tenants and users that were not there before `dates`, and what they cost in their first week. A model without a price costs
    what its calls likely cost. -#}
{% macro judged_newcomers(dates) %}
    {%- set series_key = "environment, data_mode, scope_dimension, scope_value" -%}
    {%- set read_dates = with_neighbours(dates, 28, 0) -%}
    with
        spend as ({{ usual_spend(read_dates) }}),

        series as (
            select
                *,
                min(event_date) over {{ last_days(series_key, 28, 0) }} as first_seen_date,
                min(case when unpriced_attempts > 0 then event_date end) over {{ last_days(series_key, 28, 0) }}
                as first_unpriced_date,
                watched_usd_squares / nullif(cast(watched_usd as double), 0) as usd_per_call
            from {{ ref("int_watched_series") }}
            where {{ in_dates("event_date", read_dates) }} and scope_dimension in ('tenant', 'user', 'model')
        ),

        newcomers as (
            select
                *,
                case
                    when scope_dimension = 'model' and unpriced_attempts > 0
                    then 'unknown_model'
                    when scope_dimension = 'model'
                    then 'new_model'
                    else 'new_identity'
                end as alert_type,
                case
                    when scope_dimension = 'model' and unpriced_attempts > 0
                    then cast(exposure_usd as double)
                    else cast(watched_usd as double)
                end as observed
            from series
            inner join spend using (environment, data_mode, event_date)
            where
                {{ in_dates("event_date", dates) }}
                and scope_value <> '(unattributed)'
                -- where everything is new, nothing is
                and scope_days >= 14
                -- whoever calls an unknown model is not new by that
                and event_date - case
                    when scope_dimension = 'model' and unpriced_attempts > 0
                    then first_unpriced_date
                    else first_seen_date
                end
                < 7
        )

    select
        environment,
        data_mode,
        scope_dimension,
        scope_value,
        event_date,
        usual_spend_usd,
        observed,
        cast(0 as double) as expected,
        -- against an expectation of nearly nothing
        round(
            sqrt(
                2 * greatest(
                    (observed * ln(greatest(observed / (0.002 * usual_spend_usd), 1)) - observed)
                    / greatest(usd_per_call, observed / 100),
                    0
                )
            ),
            6
        ) as z,
        alert_type
    from newcomers
    where observed > 0 and usual_spend_usd > 0
{% endmacro %}

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
