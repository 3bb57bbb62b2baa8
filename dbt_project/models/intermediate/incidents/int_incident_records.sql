{{ config(materialized="view") }}
-- Each incident with its cost, how long each step took, what is missing in its
-- checklists, and its runbook.
with
    states as (select * from {{ ref("int_incidents") }}),

    runbooks as (select * from {{ ref("int_runbooks") }}),

    refused as (
        select incident_id, count(*) as refused_events
        from {{ ref("int_incident_events") }}
        where not is_applied
        group by incident_id
    )

select
    states.incident_id,
    states.problem_id,
    states.alert_id,
    coalesce(costs.alerts, 0) as alerts,
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
    case when states.contained_at is not null then costs.cost_until_containment_usd end as cost_until_containment_usd,
    costs.cost_usd,
    coalesce(costs.is_understated, false) as is_cost_understated,
    states.owner,
    states.channel,
    states.containment_action,
    containment.containment_action as recommended_containment_action,
    states.root_cause,
    coalesce(nullif(states.endpoint_tag, 'none'), names.endpoint_tag) as endpoint_tag,
    states.tenant_id,
    states.prompt_version,
    states.guardrail,
    runbooks.runbook_url,
    runbooks.escalation_channel,
    coalesce(runbooks.is_runbook_stale, false) as is_runbook_stale,
    {% for column in execution_checklist() %} states.{{ column }}, {% endfor %}
    {{ missing_of(execution_checklist(), "states") }} as execution_missing,
    {% for column in hardening_checklist() %} states.{{ column }}, {% endfor %}
    {{ missing_of(hardening_checklist(), "states") }} as hardening_missing,
    states.events,
    coalesce(refused.refused_events, 0) as refused_events,
    states.last_event_at
from states
left join {{ ref("int_incident_costs") }} as costs on states.incident_id = costs.incident_id
left join {{ ref("int_problem_names") }} as names on states.problem_id = names.problem_id
left join {{ ref("stg_containment_map") }} as containment on states.spike_type = containment.spike_type
left join runbooks on coalesce(nullif(states.endpoint_tag, 'none'), names.endpoint_tag) = runbooks.endpoint_tag
left join refused on states.incident_id = refused.incident_id
