-- What a sender usually does in the week that follows its last call before a pause, by
-- hour: the mean of the same hours of the complete weeks before. Hours without a call
-- are left out.
{%- set sender = sender_columns() %}
with
    pauses as (select * from {{ ref("int_source_pauses") }} where weeks > 0),

    hours as (select *, {{ hour_number("hour_at") }} as hour_number from {{ ref("int_source_hours") }}),

    usual as (
        select
            {{ sender }},
            pauses.last_event_at,
            mod(hours.hour_number - pauses.hour_number - 1 + 168 * pauses.weeks, 168) as slot,
            cast(sum(hours.attempts) as double) / pauses.weeks as usual_calls,
            count(distinct hours.hour_number) / (pauses.weeks + 1.0) as chance_of_a_call
        from pauses
        inner join hours using ({{ sender }})
        where hours.hour_number > pauses.hour_number - 168 * pauses.weeks and hours.hour_number <= pauses.hour_number
        group by {{ sender }}, pauses.last_event_at, slot, pauses.weeks
    ),

    -- any 24 hours: a sender's day does not begin at midnight UTC
    around_the_week as (
        select *
        from usual
        union all
        select * replace (slot - 168 as slot)
        from usual
        where slot > 144
    ),

    days as (
        select
            *,
            sum(usual_calls) over (
                partition by {{ sender }}, last_event_at order by slot range between 23 preceding and current row
            ) as day_calls
        from around_the_week
    )

select
    {{ sender }},
    last_event_at,
    slot,
    usual_calls,
    - ln(1 - chance_of_a_call) as surprise,
    sum(usual_calls) over (partition by {{ sender }}, last_event_at) as week_calls,
    max(day_calls) over (partition by {{ sender }}, last_event_at) as busiest_day_calls
from days
where slot >= 0
