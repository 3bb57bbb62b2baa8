{{ kept_by_date("budget_period_days") }}
-- How uneven a scope's past is, in USD: by how much its days differ from what is usual
-- on their weekday, and in what lumps its dollars come.
{%- set dates, steady = dirty_dates(), budget_steady_shares() %}
with
    {{ budget_past(dates) }},

    days as (
        select
            past_days.budget_id,
            past_days.period_start,
            sum(power(past_days.usd - weekdays.day_usd, 2)) / nullif(sum(weekdays.day_usd), 0) as dispersion_usd,
            -- whether what was usual has lasted until now
            sum(case when past_days.local_date >= past_days.period_start - 7 then past_days.usd end)
            >= {{ steady.week }}
            * sum(case when past_days.local_date >= past_days.period_start - 7 then weekdays.day_usd end)
            and sum(case when past_days.local_date = past_days.period_start - 1 then past_days.usd end)
            >= {{ steady.day }}
            * sum(case when past_days.local_date = past_days.period_start - 1 then weekdays.day_usd end) as is_steady
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
    round(lump_usd, 12) as lump_usd,
    is_steady
from days
inner join lumps using (budget_id, period_start)
where dispersion_usd is not null
