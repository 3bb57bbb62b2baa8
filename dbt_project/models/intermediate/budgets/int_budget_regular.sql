{{ kept_by_date("budget_period_days") }}
-- Regular batches before a period: what more than half of the same weekdays spent in a
-- quarter-hour, which is the median where their number is odd, and the lower of the two
-- middle ones where it is even. Never more than the weekday's median day.
{%- set dates = dirty_dates() %}
with
    {{ budget_past(dates) }},

    ranked as (
        select
            past_quarters.*,
            weekdays.day_usd,
            floor(weekdays.days / 2) + 1 as place_of_majority,
            row_number() over (
                partition by
                    past_quarters.budget_id,
                    past_quarters.period_start,
                    past_quarters.weekday,
                    past_quarters.quarter_of_day
                order by past_quarters.usd desc nulls last, past_quarters.local_date nulls last
            ) as place
        from past_quarters
        inner join weekdays using (budget_id, period_start, weekday)
    )

select
    period_start as event_date,
    budget_id,
    cast(weekday as integer) as weekday,
    quarter_of_day,
    round(
        usd * least(1, day_usd / nullif(sum(usd) over (partition by budget_id, period_start, weekday), 0)), 12
    ) as regular_usd
from ranked
where place = place_of_majority and usd > 0
