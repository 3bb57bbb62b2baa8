{{ config(materialized="view") }}
-- Incidents that were not closed at a week's end, or of which something happened in the
-- week, as they were then.
select
    weeks.iso_week,
    states.week_start,
    states.incident_id,
    states.problem_id,
    states.environment,
    states.data_mode,
    states.title,
    coalesce(names.problem, states.title) as problem,
    states.status,
    states.spike_type,
    states.started_at,
    states.opened_at,
    states.assigned_at,
    states.contained_at,
    states.closed_at,
    states.times_reopened,
    {{ minutes_since_opening("states", "assigned_at") }} as minutes_to_assign,
    {{ minutes_since_opening("states", "contained_at") }} as minutes_to_contain,
    {{ minutes_since_opening("states", "closed_at") }} as minutes_to_resolve,
    states.owner,
    states.channel,
    states.containment_action,
    states.root_cause,
    states.endpoint_tag,
    states.tenant_id,
    states.prompt_version,
    states.guardrail,
    {{ missing_of(execution_checklist(), "states") }} as execution_missing,
    {{ missing_of(hardening_checklist(), "states") }} as hardening_missing,
    states.events
from {{ ref("int_incident_weeks") }} as states
inner join {{ ref("int_weeks") }} as weeks on states.week_start = weeks.week_start
left join {{ ref("int_problem_names") }} as names on states.problem_id = names.problem_id
where states.status <> 'closed' or states.last_event_at >= states.week_start
