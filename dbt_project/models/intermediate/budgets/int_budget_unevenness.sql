{{ kept_by_date("budget_period_days") }}
-- How uneven a scope's past is, in USD: by how much its days differ from what is usual
-- on their weekday, and in what lumps its dollars come.
{%- set dates = dirty_dates() %}
with
    {{ budget_past(dates) }},

    days as (
        select
            past_days.budget_id,
            past_days.period_start,
            sum(power(past_days.usd - weekdays.day_usd, 2)) / nullif(sum(weekdays.day_usd), 0) as dispersion_usd
        from past_days
        inner join weekdays using (budget_id, period_start, weekday)
        group by past_days.budget_id, past_days.period_start
    ),

    lumps as (
        select budget_id, period_start, sum(usd * usd) / nullif(sum(usd), 0) as lump_usd
        from past_quarters
        group by budget_id, period_start
    )

select
    period_start as event_date,
    budget_id,
    -- the variance of a day relative to its mean, as of a process of independent calls
    round(dispersion_usd, 12) as dispersion_usd,
    -- the quarter-hour in which the average dollar was spent
    round(lump_usd, 12) as lump_usd
from days
inner join lumps using (budget_id, period_start)
where dispersion_usd is not null
