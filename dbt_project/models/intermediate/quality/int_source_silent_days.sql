-- The days that lack calls because of a silence, and how many against usual. A sender
-- that does not come back is waited for until it counts as ended.
{%- set silence = sender_columns() ~ ", silent_since" %}
with
    hours as (
        select
            {{ silence }},
            weeks,
            hour_number,
            unnest(range(least(pause_hours, {{ 24 * silence_parameter("ended_days") }}))) as hour_of_pause
        from {{ ref("int_source_silences") }}
    ),

    slots as (
        select
            *,
            cast({{ hour_at("hour_number + 1 + hour_of_pause") }} as date) as event_date,
            mod(hour_of_pause, 168) as slot
        from hours
    ),

    rhythms as (select *, last_event_at as silent_since from {{ ref("int_source_rhythms") }})

select
    slots.event_date,
    {{ silence }},
    -- what is usual for a sender in its first week is unknown
    case when weeks > 0 then coalesce(round(sum(rhythms.usual_calls), 6), 0) end as missing_calls
from slots
left join rhythms using ({{ silence }}, slot)
group by slots.event_date, {{ silence }}, weeks
having weeks = 0 or sum(rhythms.usual_calls) > 0
