-- From when until when an incident was closed with a guardrail in place: what comes
-- back then has regressed.
with
    events as (select * from {{ ref("int_incident_events") }} where is_applied),

    guardrails as (
        select incident_id, min(occurred_at) as guardrail_at
        from events
        where event_type = 'guardrail_added'
        group by incident_id
    ),

    turns as (
        select
            incident_id,
            event_type,
            occurred_at,
            lead(occurred_at) over (partition by incident_id order by sequence) as next_at
        from events
        where event_type in ('closed', 'reopened')
    )

select
    turns.incident_id,
    incidents.problem_id,
    greatest(turns.occurred_at, guardrails.guardrail_at) as closed_from,
    turns.next_at as closed_until
from turns
inner join guardrails on turns.incident_id = guardrails.incident_id
inner join {{ ref("int_incidents") }} as incidents on turns.incident_id = incidents.incident_id
where
    turns.event_type = 'closed' and coalesce(greatest(turns.occurred_at, guardrails.guardrail_at) < turns.next_at, true)
