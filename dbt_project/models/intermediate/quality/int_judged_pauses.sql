-- After how many hours without a call a sender counts as silent, and how many calls are
-- usual in the hours that a pause has lasted. Silent it is when either the pause is
-- several times as long as any before and half a day's calls are missing, or more calls
-- are missing than a day off explains and so many empty hours cannot be an accident.
{%- set pause = sender_columns() ~ ", last_event_at" %}
{%- set usual_weeks = silence_parameter("usual_weeks") %}
with
    -- calls of a pause that is over are missing; of one that goes on, those of the last
    -- hours may be on their way
    pauses as (
        select
            pauses.*,
            delays.expected_delay_hours,
            case
                when pauses.returned_at is null
                then greatest(pauses.pause_hours - delays.expected_delay_hours, 0)
                else pauses.pause_hours
            end as due_hours
        from {{ ref("int_source_pauses") }} as pauses
        inner join {{ ref("int_source_delays") }} as delays on pauses.source = delays.source
    ),

    repeats as (select unnest(range({{ usual_weeks }})) as week),

    expected as (
        select
            pauses.*,
            rhythms.usual_calls,
            rhythms.surprise,
            rhythms.slot + 168 * repeats.week as hour_of_pause,
            rhythms.week_calls,
            rhythms.busiest_day_calls
        from pauses
        inner join {{ ref("int_source_rhythms") }} as rhythms using ({{ pause }})
        cross join repeats
        where pauses.returned_at is null or rhythms.slot + 168 * repeats.week < pauses.pause_hours
    ),

    hours as (
        select
            * exclude (usual_calls, surprise),
            sum(usual_calls) over since_the_last_call as usual_calls,
            sum(surprise) over since_the_last_call as surprise
        from expected
        window since_the_last_call as (partition by {{ pause }} order by hour_of_pause)
    ),

    reached as (
        select
            {{ pause }},
            any_value(week_calls) as week_calls,
            any_value(busiest_day_calls) as busiest_day_calls,
            min(
                case
                    when round(usual_calls, 6) >= {{ silence_parameter("least_days") }} * busiest_day_calls
                    then hour_of_pause + 1
                end
            ) as hours_to_half_a_day,
            min(
                case
                    when round(usual_calls, 6) >= {{ silence_parameter("busiest_days") }} * busiest_day_calls
                    then hour_of_pause + 1
                end
            ) as hours_to_a_day_off,
            min(
                case when surprise >= {{ silence_parameter("least_surprise") }} then hour_of_pause + 1 end
            ) as hours_to_surprise,
            {% for hours in ["pause_hours", "due_hours"] %}
                coalesce(max(case when hour_of_pause < {{ hours }} then usual_calls end), 0) as calls_in_{{ hours }}
                {{- "," if not loop.last }}
            {% endfor %}
        from hours
        group by {{ pause }}
    ),

    judged as (
        select
            pauses.*,
            reached.week_calls,
            reached.busiest_day_calls,
            case when weeks > 0 then coalesce(round(reached.calls_in_pause_hours, 6), 0) end as usual_calls,
            case when weeks > 0 then coalesce(round(reached.calls_in_due_hours, 6), 0) end as missing_calls,
            case
                when calls_lately < {{ silence_parameter("least_calls") }}
                then null
                -- whatever its week is like, it has a whole one without a call
                when weeks = 0
                then 168
                else
                    -- what is not reached is NULL, which `greatest` would pass over
                    least(
                        case
                            when hours_to_half_a_day is not null
                            then
                                greatest(
                                    hours_to_half_a_day, {{ silence_parameter("longest_pauses") }} * longest_pause_hours
                                )
                        end,
                        case
                            when hours_to_a_day_off is not null and hours_to_surprise is not null
                            then greatest(hours_to_a_day_off, hours_to_surprise)
                        end
                    )
            end as silent_after_hours
        from pauses
        left join reached using ({{ pause }})
    )

select
    * exclude (silent_after_hours),
    cast(
        case when silent_after_hours <= {{ 168 * usual_weeks }} then silent_after_hours end as integer
    ) as silent_after_hours
from judged
