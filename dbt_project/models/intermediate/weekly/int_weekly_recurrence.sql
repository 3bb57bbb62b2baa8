{{ config(materialized="view") }}
-- Every problem in every week since it was first seen, with the endpoint, the owner and
-- the incident of then, and what should happen next.
{%- set failed_rule = "coalesce(' (' || failed_guardrail || ')', '')" %}
with
    recurrence as (select * from {{ ref("int_recurrence") }}),

    problems as (select * from {{ ref("int_problem_names") }}),

    endpoints as (
        select
            recurrence.week_start,
            recurrence.problem_id,
            max_by(coalesce(alerts.driver_endpoint_tag, alerts.main_endpoint_tag), alerts.onset_date) as endpoint_tag
        from recurrence
        inner join
            {{ ref("int_alerts") }} as alerts
            on recurrence.problem_id = alerts.problem_id
            and alerts.onset_date < recurrence.week_end
        group by recurrence.week_start, recurrence.problem_id
    ),

    joined as (
        select
            recurrence.*,
            problems.environment,
            problems.data_mode,
            problems.spike_type,
            problems.driver_dimension,
            problems.driver_value,
            problems.problem,
            endpoints.endpoint_tag,
            incidents.incident_id,
            incidents.status as incident_status,
            incidents.guardrail,
            cast(incidents.closed_at as date) as closed_date,
            coalesce(next.is_handled, false) as is_handled,
            coalesce(next.is_guardrail_changed, false) as is_guardrail_changed,
            {{ missing_of(hardening_checklist(), "incidents") }} as hardening_missing,
            coalesce(incidents.owner, owners.owner) as owner,
            owners.runbook_url,
            owners.escalation_channel,
            containment.containment_action,
            containment.guardrail as suggested_guardrail
        from recurrence
        inner join problems on recurrence.problem_id = problems.problem_id
        inner join
            endpoints on recurrence.problem_id = endpoints.problem_id and recurrence.week_start = endpoints.week_start
        left join
            {{ ref("int_next_incidents") }} as next
            on recurrence.problem_id = next.problem_id
            and recurrence.week_start = next.week_start
        left join
            {{ ref("int_incident_weeks") }} as incidents
            on next.incident_id = incidents.incident_id
            and next.week_start = incidents.week_start
        left join {{ ref("stg_endpoint_owners") }} as owners on endpoints.endpoint_tag = owners.endpoint_tag
        left join {{ ref("stg_containment_map") }} as containment on problems.spike_type = containment.spike_type
    )

select
    iso_week,
    week_start,
    is_complete,
    problem_id,
    problem,
    environment,
    data_mode,
    spike_type,
    driver_dimension,
    driver_value,
    endpoint_tag,
    status,
    cast(occurrences as bigint) as occurrences,
    cast(days as bigint) as days,
    cast(cost_impact_usd as decimal(38, 12)) as cost_impact_usd,
    is_understated,
    first_seen_date,
    last_seen_date,
    weeks_since_last_seen,
    cast(consecutive_weeks as bigint) as consecutive_weeks,
    occurrences_8_weeks,
    total_occurrences,
    total_cost_impact_usd,
    owner,
    runbook_url,
    escalation_channel,
    incident_id,
    incident_status,
    guardrail,
    failed_incident_id,
    failed_guardrail,
    severity,
    drill_url,
    -- the most urgent thing that is left to do; NULL when nothing is
    case
        when status_when_seen = 'regressed' and incident_status = 'closed' and not is_handled
        then 'The guardrail did not hold: reopen ' || incident_id || ' and change it' || {{ failed_rule }}
        when days > 0 and incident_status = 'closed' and is_handled and last_seen_date > closed_date
        then 'It went on after ' || incident_id || ' was closed on ' || cast(closed_date as string) || ': reopen it'
        when days > 0 and (incident_id is null or (incident_status = 'closed' and not is_handled))
        then 'Open an incident. ' || containment_action
        when incident_status = 'open'
        then 'Contain it: ' || containment_action
        when incident_id is null
        then 'While it is quiet, make a rule: ' || suggested_guardrail
        when status_when_seen = 'regressed' and incident_status = 'contained' and not is_guardrail_changed
        then
            'The guardrail of '
            || failed_incident_id
            || ' did not hold: change it before '
            || incident_id
            || ' is closed'
            || {{ failed_rule }}
        when guardrail is null
        then 'Turn the manual step into a rule: ' || suggested_guardrail
        when hardening_missing is not null
        then 'Still missing: ' || hardening_missing
        when incident_status = 'contained'
        then 'Close ' || incident_id
    end as next_action,
    alert_ids
from joined
