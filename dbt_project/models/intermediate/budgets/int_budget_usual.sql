{{ kept_by_date("budget_period_days") }}
-- What the scope usually spends, by weekday and quarter-hour: its regular batches, and
-- the rest of the weekday's median day, spread over its hours like the rest of all
-- days.
{%- set dates = dirty_dates() %}
with
    {{ budget_past(dates) }},

    regular as (
        select period_start, regular.* exclude (event_date)
        from {{ ref("int_budget_regular") }} as regular
        inner join periods on regular.budget_id = periods.budget_id and regular.event_date = periods.period_start
    ),

    rests as (
        select
            weekdays.budget_id,
            weekdays.period_start,
            weekdays.weekday,
            weekdays.day_usd,
            greatest(weekdays.day_usd - coalesce(sum(regular.regular_usd), 0), 0) as rest_usd
        from weekdays
        left join regular using (budget_id, period_start, weekday)
        group by weekdays.budget_id, weekdays.period_start, weekdays.weekday, weekdays.day_usd
    ),

    known as (
        select *, avg(rest_usd) over (partition by budget_id, period_start) as mean_rest_usd
        from rests
        qualify max(day_usd) over (partition by budget_id, period_start) > 0
    ),

    hours as (
        select
            budget_id,
            period_start,
            floor(quarter_of_day / 4) as hour_of_day,
            sum(greatest(usd - coalesce(regular_usd, 0), 0)) as hour_usd
        from past_quarters
        left join regular using (budget_id, period_start, weekday, quarter_of_day)
        group by budget_id, period_start, floor(quarter_of_day / 4)
    ),

    shares as (
        select *, hour_usd / nullif(sum(hour_usd) over (partition by budget_id, period_start), 0) as hour_share
        from hours
    ),

    clock as (select unnest(range(96)) as quarter_of_day)

select
    known.period_start as event_date,
    known.budget_id,
    cast(known.weekday as integer) as weekday,
    cast(clock.quarter_of_day as integer) as quarter_of_day,
    round(
        coalesce(regular.regular_usd, 0)
        + {{ 1 - budget_even_share() }} * known.rest_usd * coalesce(shares.hour_share, 0) / 4
        + {{ budget_even_share() }} * known.mean_rest_usd / 96,
        12
    ) as usual_usd
from known
inner join periods using (budget_id, period_start)
cross join clock
left join
    regular
    on known.budget_id = regular.budget_id
    and known.period_start = regular.period_start
    and known.weekday = regular.weekday
    and clock.quarter_of_day = regular.quarter_of_day
left join
    shares
    on known.budget_id = shares.budget_id
    and known.period_start = shares.period_start
    and floor(clock.quarter_of_day / 4) = shares.hour_of_day
where periods.period <> 'day' or known.weekday = extract(isodow from known.period_start)
