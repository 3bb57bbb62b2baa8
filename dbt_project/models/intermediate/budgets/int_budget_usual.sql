{{ kept_by_date("budget_period_days") }}
-- The scope's own past before the period: the median of the same weekday, spread over
-- its hours like the average day. Usage alone: what a person added or took off is not
-- usual for the scope.
{%- set dates = dirty_dates() %}
{%- set days = budget_history_days() %}
with
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

    past_days as (
        select
            budget_id,
            period_start,
            cast(unnest(generate_series(first_date, period_start - 1, interval 1 day)) as date) as local_date
        from first_dates
    ),

    daily as (
        select budget_id, period_start, cast(local_at as date) as local_date, sum(usd) as usd
        from past
        group by budget_id, period_start, cast(local_at as date)
    ),

    weekdays as (
        select
            budget_id,
            period_start,
            extract(isodow from local_date) as weekday,
            median(coalesce(daily.usd, 0)) as day_usd
        from past_days
        left join daily using (budget_id, period_start, local_date)
        group by budget_id, period_start, extract(isodow from local_date)
    ),

    hours as (
        select
            budget_id,
            period_start,
            extract(hour from local_at) as hour_of_day,
            sum(usd) / nullif(sum(sum(usd)) over (partition by budget_id, period_start), 0) as hour_share
        from past
        group by budget_id, period_start, extract(hour from local_at)
    ),

    clock as (select unnest(range(24)) as hour_of_day),

    shares as (
        select
            weekdays.*,
            clock.hour_of_day,
            coalesce(hours.hour_share, 0) as hour_share,
            avg(weekdays.day_usd) over (partition by weekdays.budget_id, weekdays.period_start) as mean_day_usd
        from weekdays
        cross join clock
        left join
            hours
            on weekdays.budget_id = hours.budget_id
            and weekdays.period_start = hours.period_start
            and clock.hour_of_day = hours.hour_of_day
    )

select
    period_start as event_date,
    budget_id,
    cast(weekday as integer) as weekday,
    cast(hour_of_day as integer) as hour_of_day,
    round(
        {{ 1 - budget_even_share() }} * day_usd * hour_share / 4 + {{ budget_even_share() }} * mean_day_usd / 96, 12
    ) as usual_usd
from shares
where mean_day_usd > 0
