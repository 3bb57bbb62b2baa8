{#- The Monday of a date's ISO week. -#}
{% macro monday_of(column) -%} cast(date_trunc('week', {{ column }}) as date) {%- endmacro %}

{#- Usage of the dirty weeks and of the week before each, summed by `dimensions`: a row stands on its week as `current` and on the
    next one as `previous`. -#}
{% macro usage_of_two_weeks(dimensions) %}
    {%- set weeks = dirty_dates() -%}
    with
        usage as (
            select
                usage.*,
                {{ monday_of("usage.event_date") }} as week_start,
                -- calls without a price of which not even the likely cost is known
                case
                    when exposure.exposure_usd_per_token is null then usage.unpriced_attempts else 0
                end as unvalued_attempts
            from {{ ref("int_costed_usage") }} as usage
            left join {{ ref("int_exposure") }} as exposure using (environment, data_mode, provider, model)
            where {{ in_dates("event_date", with_neighbours(weeks, 7, 6)) }}
        ),

        sides as (
            select *, week_start as side_week, true as is_current
            from usage
            union all
            select *, week_start + 7 as side_week, false as is_current
            from usage
        )

    select
        side_week as event_date,
        environment,
        data_mode,
        {{ dimensions | join(", ") }},
        {% for side in ["previous", "current"] %}
            {%- set is_side = ("not " if side == "previous" else "") ~ "is_current" %}
            coalesce(sum(case when {{ is_side }} then requests end), 0) as {{ side }}_requests,
            coalesce(sum(case when {{ is_side }} then attempts end), 0) as {{ side }}_attempts,
            coalesce(sum(case when {{ is_side }} then tokens end), 0) as {{ side }}_tokens,
            coalesce(sum(case when {{ is_side }} then unpriced_attempts end), 0) as {{ side }}_unpriced_attempts,
            coalesce(sum(case when {{ is_side }} then unvalued_attempts end), 0) as {{ side }}_unvalued_attempts,
            cast(coalesce(sum(case when {{ is_side }} then cost_usd end), 0) as decimal(38, 12)) as {{ side }}_cost_usd,
            cast(
                coalesce(sum(case when {{ is_side }} then exposure_usd end), 0) as decimal(38, 12)
            ) as {{ side }}_exposure_usd
            {{- "," if not loop.last }}
        {% endfor %}
    from sides
    where {{ in_dates("side_week", weeks) }}
    group by side_week, environment, data_mode, {{ dimensions | join(", ") }}
{% endmacro %}
