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
                and total_days >= 14
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
