-- The incident on a problem that people should look at, as of a week's end: one that is
-- not closed, else the one whose guardrail failed, as long as nothing was done since,
-- else the one closed last; and whether what showed has been dealt with.
with
    incidents as (
        select
            recurrence.week_start,
            recurrence.problem_id,
            states.incident_id,
            states.status,
            states.opened_at,
            states.closed_at,
            -- what began on the day of the closing was known by then
            states.status = 'closed' and cast(states.closed_at as date) >= recurrence.last_onset_date as has_handled,
            recurrence.failed_incident_id
        from {{ ref("int_recurrence") }} as recurrence
        inner join
            {{ ref("int_incident_weeks") }} as states
            on recurrence.problem_id = states.problem_id
            and recurrence.week_start = states.week_start
    ),

    -- a rule that was added after the problem came back is the change that was due
    changes as (
        select distinct recurrence.week_start, recurrence.problem_id
        from {{ ref("int_recurrence") }} as recurrence
        inner join {{ ref("int_incidents") }} as incidents on recurrence.problem_id = incidents.problem_id
        inner join
            {{ ref("int_incident_events") }} as events
            on incidents.incident_id = events.incident_id
            and events.occurred_at < recurrence.week_end
        where
            events.is_applied
            and events.event_type = 'guardrail_added'
            and cast(events.occurred_at as date) >= recurrence.last_onset_date
    ),

    judged as (select *, bool_or(has_handled) over (partition by week_start, problem_id) as is_handled from incidents)

select
    judged.week_start,
    judged.problem_id,
    judged.incident_id,
    judged.is_handled,
    changes.problem_id is not null as is_guardrail_changed
from judged
left join changes on judged.week_start = changes.week_start and judged.problem_id = changes.problem_id
qualify
    row_number() over (
        partition by judged.week_start, judged.problem_id
        order by
            judged.status <> 'closed' desc,
            case
                when
                    judged.status = 'closed'
                    and not judged.is_handled
                    and judged.incident_id = judged.failed_incident_id
                then 0
                else 1
            end,
            coalesce(judged.closed_at, judged.opened_at) desc,
            judged.incident_id
    )
    = 1
