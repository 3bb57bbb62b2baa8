{#- Days that a judgement looks back, each to where the next begins: 28 of the tails of its kind, 28 of noise, 14 of a series' drift,
    14 of the total's, 28 to the same weekdays, and 28 of what was usual then. Less, and a day judged alone would differ
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

{#- What an environment and data mode usually spend on a day, by its 28 days before, and how many of those there were. -#}
{% macro usual_spend(dates=none) %}
    select
        environment,
        data_mode,
        event_date,
        median(cast(watched_usd as double)) over {{ last_days("environment, data_mode", 28) }} as usual_spend_usd,
        count(*) over {{ last_days("environment, data_mode", 28) }} as total_days
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

{#- Dollars of its largest day in six weeks under which a series is not looked at. -#}
{% macro smallest_watched_usd() %} {{ return(0.25) }} {% endmacro %}

{#- Share of a usual day's spend under which a series is not looked at, and whose half is the least excess that is kept for the rules. -#}
{% macro smallest_watched_share() %} {{ return(0.01) }} {% endmacro %}

{#- Surprise under which nothing is kept for the rules. -#}
{% macro smallest_z() %} {{ return(1) }} {% endmacro %}
