{#- Rows of the last `days` days of a series, with or without today: every judgement looks back by date, not by row,
    so that a day's judgement is the same whatever else is judged with it. -#}
{% macro last_days(keys, days, until=1) -%}
    (
        partition by {{ keys }}
        order by event_date range between interval {{ days }} days preceding and interval {{ until }} days preceding
    )
{%- endmacro %}

{#- By how much series of the same kind surprised more on the usual days before each of `dates` than the formula
    expects, because their tails are heavier. `condition` selects the series that count; the second pass, without
    days that stood out, measures further into the tail. -#}
{% macro tails_of_kind(surprises, condition, dates, is_second_pass) %}
    {%- set tail, tail_z = (
        (alert_parameter("tail"), alert_parameter("tail_z"))
        if is_second_pass
        else (alert_parameter("first_pass_tail"), alert_parameter("first_pass_tail_z"))
    ) -%}
    select
        pooled.environment,
        pooled.data_mode,
        pooled.scope_dimension,
        judged.event_date,
        greatest(
            1, percentile_cont({{ tail }}) within group (order by abs(pooled.surprise) nulls last) / {{ tail_z }}
        ) as tail_factor
    from {{ surprises }} as pooled
    inner join
        ({{ judged_dates() }}) as judged
        on pooled.event_date between judged.event_date - {{ alert_parameter("usual_days") }} and judged.event_date - 1
        and {{ in_dates("judged.event_date", dates) }}
    where {{ condition }} and not pooled.is_alerted
    group by pooled.environment, pooled.data_mode, pooled.scope_dimension, judged.event_date
{% endmacro %}

{#- Complete days, and those that are not over but are judged too. -#}
{% macro judged_dates() -%}
    select event_date
    from {{ ref("alert_days") }}
    union
    select event_date
    from {{ ref("alert_open_days") }}
{%- endmacro %}
