-- Hours without a call: every pause that is still going on, and of those that are over
-- the ones that are long enough to be judged; with what the sender did in the four
-- weeks before.
{%- set sender = sender_columns() %}
{%- set usual_hours = 168 * silence_parameter("usual_weeks") %}
with
    hours as (
        select
            {{ sender }},
            {{ hour_number("hour_at") }} as hour_number,
            cast(sum(attempts) as bigint) as attempts,
            min(first_event_at) as first_event_at,
            max(last_event_at) as last_event_at
        from {{ ref("int_source_hours") }}
        group by {{ sender }}, {{ hour_number("hour_at") }}
    ),

    neighbours as (
        select
            *,
            hour_number - lag(hour_number) over in_order - 1 as pause_before,
            lead(hour_number) over in_order as next_hour_number,
            lead(first_event_at) over in_order as returned_at,
            min(hour_number) over (partition by {{ sender }}) as first_hour_number,
            min(first_event_at) over (partition by {{ sender }}) as sender_first_event_at
        from hours
        window in_order as (partition by {{ sender }} order by hour_number)
    ),

    pauses as (
        select
            *,
            coalesce(next_hour_number, {{ hour_number(as_of()) }}) - hour_number - 1 as pause_hours,
            least(
                (hour_number + 1 - first_hour_number - mod(hour_number + 1 - first_hour_number, 168)) / 168,
                {{ silence_parameter("usual_weeks") }}
            ) as weeks,
            coalesce(max(pause_before) over lately, 0) as longest_pause_hours,
            cast(sum(attempts) over lately as bigint) as calls_lately
        from neighbours
        window
            lately as (
                partition by {{ sender }}
                order by hour_number range between {{ usual_hours - 1 }} preceding and current row
            )
    )

select
    {{ sender }},
    sender_first_event_at as first_event_at,
    last_event_at,
    returned_at,
    hour_number,
    cast(greatest(pause_hours, 0) as integer) as pause_hours,
    cast(weeks as integer) as weeks,
    cast(longest_pause_hours as integer) as longest_pause_hours,
    calls_lately
from pauses
where
    next_hour_number is null
    or pause_hours >= 24
    or pause_hours >= greatest({{ silence_parameter("longest_pauses") }} * longest_pause_hours, 1)
