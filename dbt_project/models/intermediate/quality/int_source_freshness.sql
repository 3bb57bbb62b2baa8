{{ config(materialized="view") }}
-- How far the data of each sender reach at the instant of the run, and whether more
-- should be there: its last call and what is known of the pause since.
with
    latest as (
        select
            *,
            due_hours >= silent_after_hours as is_overdue,
            pause_hours >= {{ 24 * silence_parameter("ended_days") }} as is_ended
        from {{ ref("int_judged_pauses") }}
        where returned_at is null
    )

select
    {{ sender_columns() }},
    case
        when is_ended
        then 'ended'
        when is_overdue
        then 'silent'
        when weeks = 0
        then 'new'
        when silent_after_hours is null
        then 'rare'
        else 'fresh'
    end as status,
    coalesce(is_overdue and not is_ended, false) as is_silent,
    first_event_at,
    last_event_at,
    -- up to a full hour, as pauses are counted: within it, time alone changes nothing
    greatest({{ dbt.datediff("last_event_at", "date_trunc('hour', " ~ as_of() ~ ")", "minute") }}, 0)
    / 60.0 as hours_since_last_event,
    expected_delay_hours,
    case
        when silent_after_hours is not null
        then {{ hour_at("hour_number + 1 + silent_after_hours + expected_delay_hours") }}
    end as silent_from,
    weeks as usual_weeks,
    week_calls / 168 as usual_calls_per_hour,
    busiest_day_calls,
    longest_pause_hours,
    case when not is_ended then missing_calls end as missing_calls,
    case when not is_ended then round(usual_calls - missing_calls, 6) end as calls_on_their_way
from latest
