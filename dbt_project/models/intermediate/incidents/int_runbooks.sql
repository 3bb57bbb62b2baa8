-- The runbook of each endpoint with an owner, when it was last reviewed (by the file or
-- by an incident's event), and whether an incident on the endpoint came after that.
with
    owners as (select * from {{ ref("stg_endpoint_owners") }}),

    events as (select * from {{ ref("int_incident_events") }} where is_applied),

    incidents as (
        select
            states.incident_id,
            states.opened_at,
            coalesce(nullif(states.endpoint_tag, 'none'), names.endpoint_tag) as endpoint_tag
        from {{ ref("int_incidents") }} as states
        left join {{ ref("int_problem_names") }} as names on states.problem_id = names.problem_id
    ),

    reviews as (
        select
            coalesce(events.endpoint_tag, incidents.endpoint_tag) as endpoint_tag,
            max(events.occurred_at) as reviewed_at
        from events
        inner join incidents on events.incident_id = incidents.incident_id
        where events.event_type = 'runbook_updated'
        group by coalesce(events.endpoint_tag, incidents.endpoint_tag)
    ),

    latest as (select endpoint_tag, max(opened_at) as last_incident_at from incidents group by endpoint_tag),

    reviewed as (
        select
            owners.endpoint_tag,
            owners.owner,
            owners.runbook_url,
            owners.escalation_channel,
            greatest(cast(owners.runbook_reviewed_on as timestamp), reviews.reviewed_at) as runbook_reviewed_at,
            latest.last_incident_at
        from owners
        left join reviews on owners.endpoint_tag = reviews.endpoint_tag
        left join latest on owners.endpoint_tag = latest.endpoint_tag
    )

select *, last_incident_at is not null and coalesce(runbook_reviewed_at < last_incident_at, true) as is_runbook_stale
from reviewed
