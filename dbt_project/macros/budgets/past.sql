{#- CTEs of what a scope spent in the four weeks before each period that begins on one of the dates, where at least two of them
    are known: `past_quarters` by local date and quarter-hour of the day, `past_days` by local date, days without spend
    included, and `weekdays`, their median by weekday. Usage alone: what a person added or took off is not usual. -#}
{% macro budget_past(dates) %}
    {%- set days = budget_history_days() %}
    periods as (select * from {{ ref("int_budget_periods") }} where {{ in_dates("period_start", dates) }}),

    past as (
        select
            periods.budget_id,
            periods.period_start,
            {{ local_time("usage.quarter_at", "periods.time_zone") }} as local_at,
            cast(usage.cost_usd as double) as usd
        from periods
        inner join
            {{ ref("int_budget_usage") }} as usage
            on periods.budget_id = usage.budget_id
            and usage.quarter_at >= periods.starts_at - interval {{ days + 1 }} day
            and usage.quarter_at < periods.starts_at
        where cast(local_at as date) >= periods.period_start - {{ days }}
    ),

    first_dates as (
        select budget_id, period_start, cast(min(local_at) as date) as first_date
        from past
        group by budget_id, period_start
        having cast(min(local_at) as date) <= period_start - {{ budget_least_history_days() }}
    ),

    -- an hour that the clocks show twice counts once
    past_quarters as (
        select
            budget_id,
            period_start,
            cast(local_at as date) as local_date,
            extract(isodow from local_at) as weekday,
            {{ quarter_of_day("local_at") }} as quarter_of_day,
            sum(usd) as usd
        from past
        inner join first_dates using (budget_id, period_start)
        group by
            budget_id,
            period_start,
            cast(local_at as date),
            extract(isodow from local_at),
            {{ quarter_of_day("local_at") }}
    ),

    known_dates as (
        select
            budget_id,
            period_start,
            cast(unnest(generate_series(first_date, period_start - 1, interval 1 day)) as date) as local_date
        from first_dates
    ),

    past_days as (
        select
            known_dates.budget_id,
            known_dates.period_start,
            known_dates.local_date,
            extract(isodow from known_dates.local_date) as weekday,
            coalesce(sum(past_quarters.usd), 0) as usd
        from known_dates
        left join past_quarters using (budget_id, period_start, local_date)
        group by known_dates.budget_id, known_dates.period_start, known_dates.local_date
    ),

    weekdays as (
        select budget_id, period_start, weekday, count(*) as days, median(usd) as day_usd
        from past_days
        group by budget_id, period_start, weekday
    )
{% endmacro %}

{#- Quarter-hours since midnight, as the clocks show them. -#}
{% macro quarter_of_day(local_at) -%}
    cast(extract(hour from {{ local_at }}) * 4 + floor(extract(minute from {{ local_at }}) / 15) as integer)
{%- endmacro %}
