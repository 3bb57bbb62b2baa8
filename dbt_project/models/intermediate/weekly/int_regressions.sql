-- Problems that came back in a week although an incident on them was closed with a
-- guardrail: the incident, of several the one closed last, and its rule of then.
with
    failures as (
        select
            {{ monday_of("alerts.onset_date") }} as week_start,
            alerts.problem_id,
            closures.incident_id as failed_incident_id,
            cast(alerts.onset_date as timestamp) as failed_at
        from {{ ref("int_alerts") }} as alerts
        inner join {{ ref("int_incident_closures") }} as closures on alerts.problem_id = closures.problem_id
        where
            not alerts.is_muted
            and alerts.alert_id not in (select alert_id from {{ ref("int_alert_plans") }})
            and cast(alerts.onset_date as timestamp) >= closures.closed_from
            and coalesce(cast(alerts.onset_date as timestamp) < closures.closed_until, true)
        qualify
            row_number() over (
                partition by {{ monday_of("alerts.onset_date") }}, alerts.problem_id
                order by closures.closed_from desc, closures.incident_id desc, alerts.onset_date desc
            )
            = 1
    )

select
    failures.week_start,
    failures.problem_id,
    failures.failed_incident_id,
    max_by(events.guardrail, events.sequence) as failed_guardrail
from failures
left join
    {{ ref("int_incident_events") }} as events
    on failures.failed_incident_id = events.incident_id
    and events.is_applied
    and events.event_type = 'guardrail_added'
    and events.occurred_at <= failures.failed_at
group by failures.week_start, failures.problem_id, failures.failed_incident_id
