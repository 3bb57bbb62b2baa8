{#- What a request costs on `dates` at every endpoint, version and route: in dollars, or in billed calls. Judged
    against the two weeks before: an endpoint and a route against themselves, a version against its endpoint's other
    versions. -#}
{% macro judged_intensity(dates, measure, alerted, is_second_pass=false, by_hour=false) %}
    {%- set read_dates = with_neighbours(dates, alert_parameter("history_days"), 0) -%}
    {%- set past_key = "environment, data_mode, past_dimension, past_value" -%}
    {%- set usual_days, level_days = alert_parameter("usual_days"), alert_parameter("level_days") -%}
    with
        alerted as (
            select environment, data_mode, scope_dimension as past_dimension, scope_value as past_value, event_date
            from {{ alerted }}
        ),

        series as (
            {{ intensity_series(ref("int_watched_series"), measure) }} and {{ in_dates("event_date", read_dates) }}
        ),

        judgeable as (
            select series.*, alerted.event_date is not null as is_alerted
            from series
            left join alerted using ({{ past_key }}, event_date)
        ),

        pasts as (
            select *, case when not is_alerted then ln(intensity) end as log_intensity
            from judgeable
            where scope_dimension = past_dimension
        ),

        usual as (
            select
                *,
                median(log_intensity) over {{ last_days(past_key, level_days) }} as usual_log_intensity,
                count(log_intensity) over {{ last_days(past_key, level_days) }} as usual_days
            from pasts
        ),

        spreads as (
            select
                {{ past_key }},
                event_date,
                usual_log_intensity,
                usual_days,
                median(abs(log_intensity - usual_log_intensity)) over {{ last_days(past_key, usual_days) }}
                * {{ alert_parameter("sigmas_per_mad") }} as own_sigma,
                median(sampling_variance) over {{ last_days(past_key, usual_days) }} as usual_sampling_variance,
                median(sampling_variance * requests) over {{ last_days(past_key, usual_days) }} as variance_of_a_request
            from usual
        ),

        surprises as ({{ intensity_surprises("judgeable") }}),

        pools as (
            {{
                tails_of_kind(
                    "surprises",
                    "expected >= " ~ alert_parameter("smallest_watched_share") ~ " * usual_spend_usd",
                    dates,
                    is_second_pass,
                )
            }}
        )

        {% if by_hour %}
            ,
            hours as (
                select *, false as is_alerted
                from ({{ intensity_series(ref("int_open_series"), measure) }} and {{ in_dates("event_date", dates) }})
            )
        {% endif %}

    select judged.*, tail_factor, round(surprise / coalesce(tail_factor, 1), 6) as z
    from ({{ intensity_surprises("hours", by_hour) if by_hour else "select * from surprises" }}) as judged
    left join pools using (environment, data_mode, scope_dimension, event_date)
    where {{ in_dates("event_date", dates) }}
{% endmacro %}

{#- The series that have what a request costs: by how much it varies by chance, and what it is compared with. -#}
{% macro intensity_series(watched, measure) %}
    {%- set fewest_requests = alert_parameter("fewest_requests") -%}
    select
        watched.*,
        case when scope_dimension = 'endpoint x model' then scope_dimension else 'endpoint' end as past_dimension,
        case
            when scope_dimension = 'endpoint x model' then scope_value else split_part(scope_value, ' | ', 1)
        end as past_value,
        cast(watched_usd as double) as observed_usd,
        {% if measure == "cost" %}
            cast(watched_usd as double) / requests as intensity,
            watched_usd_squares / (cast(watched_usd as double) * cast(watched_usd as double)) as sampling_variance
        {% elif measure == "typical cost" %}
            exp(cost_usd_logs / typical_calls) as intensity,
            greatest(cost_usd_log_squares / typical_calls - power(cost_usd_logs / typical_calls, 2), 0)
            / typical_calls as sampling_variance
        {% else %}
            cast(billed_attempts as double) / requests as intensity,
            greatest(billed_attempts - requests, {{ alert_parameter("smallest_retries") }})
            / (cast(billed_attempts as double) * billed_attempts) as sampling_variance
        {% endif %}
    from {{ watched }} as watched
    where
        scope_dimension in ('endpoint', 'endpoint x prompt_version', 'endpoint x model')
        and requests >= {{ fewest_requests }}
        and watched_usd > 0
        and {{ "typical_calls >= " ~ fewest_requests if measure == "typical cost" else "billed_attempts > 0" }}

{% endmacro %}

{#- By how much it differs from what is usual. -#}
{% macro intensity_surprises(series, by_hour=false) %}
    {%- set past_key = "environment, data_mode, past_dimension, past_value" -%}
    select
        series.environment,
        series.data_mode,
        series.scope_dimension,
        series.scope_value,
        series.event_date,
        {{ "series.hour_of_day," if by_hour }}
        series.is_alerted,
        spend.usual_spend_usd,
        series.observed_usd as observed,
        series.observed_usd * exp(spreads.usual_log_intensity) / series.intensity as expected,
        (ln(series.intensity) - spreads.usual_log_intensity) / sqrt(
            greatest(
                power(coalesce(spreads.own_sigma, {{ alert_parameter("unknown_intensity_error") }}), 2)
                - coalesce(spreads.usual_sampling_variance, 0),
                {{ alert_parameter("smallest_error") }} * {{ alert_parameter("smallest_error") }}
            )
            {{ "+ power(" ~ alert_parameter("hourly_intensity_error") ~ ", 2)" if by_hour }}
            + greatest(series.sampling_variance, spreads.variance_of_a_request / series.requests)
        ) as surprise
    from {{ series }} as series
    inner join spreads using ({{ past_key }}, event_date)
    inner join {{ ref("int_usual_spend") }} as spend using (environment, data_mode, event_date)
    where spreads.usual_days >= {{ alert_parameter("fewest_intensity_days") }} and spend.usual_spend_usd > 0

{% endmacro %}
