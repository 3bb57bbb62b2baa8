-- Incident events in the order in which they happened, each once. One that the
-- incident's state does not allow is refused with a sentence, and counts as soon as the
-- event that it lacks has landed.
{%- set as_arrived = "arrival_date nulls last, landing_file nulls last, content_hash, line_number" %}
with
    -- the same content may land under several names: it arrived when, and as, the first
    -- of them did
    arrived as (
        select
            events.* exclude (environment),
            coalesce(environments.environment, events.environment) as environment,
            arrivals.landing_file,
            arrivals.arrival_date
        from {{ ref("stg_incident_events") }} as events
        left join {{ ref("stg_environment_map") }} as environments on lower(events.environment) = environments.sent_as
        left join
            {{ ref("int_arrivals") }} as arrivals
            on arrivals.source = 'incidents'
            and events.content_hash = arrivals.content_hash
    ),

    hashed as (
        select
            *,
            md5(
                {% for field in incident_event_fields() %}
                    coalesce(cast({{ field }} as string), '') || '|' ||
                {% endfor %}
                coalesce(event_id, '') || '|' || event_type || '|' || cast(occurred_at as string) || '|' || actor
            ) as content
        from arrived
    ),

    -- the same event may be in two files
    distinct_events as (
        select * from hashed qualify row_number() over (partition by incident_id, content order by {{ as_arrived }}) = 1
    ),

    ordered as (
        select
            *,
            row_number() over (
                partition by incident_id
                order by
                    occurred_at, case event_type when 'opened' then 0 when 'closed' then 2 else 1 end, {{ as_arrived }}
            ) as sequence,
            event_id is not null
            and row_number() over (partition by incident_id, event_id order by {{ as_arrived }}) > 1 as is_repeated_id
        from distinct_events
    ),

    -- an incident began with its alert; late data may have moved the alert and given it
    -- another id, so it is also found by its problem
    onsets as (
        select
            alerts.alert_id,
            alerts.problem_id,
            coalesce(starts.started_at, cast(alerts.onset_date as timestamp)) as started_at
        from {{ ref("int_alerts") }} as alerts
        left join {{ ref("int_alert_starts") }} as starts on alerts.alert_id = starts.alert_id
    ),

    begun as (
        select ordered.incident_id, ordered.sequence, onsets.started_at as alert_started_at
        from ordered
        inner join
            onsets
            on ordered.problem_id = onsets.problem_id
            and onsets.started_at <= ordered.occurred_at
            and ordered.event_type = 'opened'
        qualify
            row_number() over (
                partition by ordered.incident_id, ordered.sequence
                order by
                    case when ordered.alert_id = onsets.alert_id then 0 else 1 end, onsets.started_at desc nulls last
            )
            = 1
    ),

    dated as (
        select ordered.*, begun.alert_started_at
        from ordered
        left join begun on ordered.incident_id = begun.incident_id and ordered.sequence = begun.sequence
    ),

    openings as (
        select incident_id, min(sequence) as opening
        from ordered
        where event_type = 'opened' and not is_repeated_id and occurred_at <= {{ as_of() }}
        group by incident_id
    ),

    -- the incident's state when the event happens: the last opening, closing or
    -- reopening before it
    placed as (
        select
            ordered.*,
            openings.opening,
            last_value(
                case
                    when event_type in ('closed', 'reopened') or sequence = openings.opening then event_type
                end ignore nulls
            ) over (partition by ordered.incident_id order by sequence rows between unbounded preceding and 1 preceding)
            as before,
            min(arrival_date) over (
                partition by ordered.incident_id order by sequence rows between 1 following and unbounded following
            )
            < arrival_date as is_late
        from dated as ordered
        left join openings on ordered.incident_id = openings.incident_id
    ),

    judged as (
        select
            *,
            case
                when is_repeated_id
                then 'Refused: another event of this incident has its eventId. Give it one of its own.'
                when occurred_at > {{ as_of() }}
                then 'Not yet: its time has not come. It counts from then on.'
                when opening is null
                then 'Refused: no opened event of this incident has landed. Land it, and this one counts.'
                when event_type = 'opened' and sequence > opening
                then 'Refused: the incident was opened before. Write reopened when it came back after it was closed.'
                when event_type = 'closed' and coalesce(before, 'closed') = 'closed'
                then 'Refused: the incident was not open at that time. Correct occurredAt, or leave it.'
                when event_type = 'reopened' and coalesce(before, 'opened') <> 'closed'
                then 'Refused: the incident was not closed at that time. Correct occurredAt, or leave it.'
            end as refusal
        from placed
    )

select
    * exclude (opening, before, is_late, is_repeated_id, refusal, content),
    refusal is null as is_applied,
    coalesce(
        refusal, case when is_late then 'It arrived after later events and stands where its time says.' end
    ) as remark
from judged
