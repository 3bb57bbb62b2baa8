-- Plans and mutes as they stand: the last event that states one, cut short by one that
-- ends it later. An event counts from its own time on.
{%- set scope = [
    "problem_id",
    "environment",
    "data_mode",
    "endpoint_tag",
    "prompt_version",
    "tenant_id",
    "user_id",
    "model",
] %}
with
    events as (
        select
            events.* exclude (environment),
            coalesce(environments.environment, events.environment) as environment,
            row_number() over (
                partition by events.plan_id
                order by events.occurred_at, events.event_type desc, events.content_hash, events.line_number
            ) as sequence
        from {{ ref("stg_plan_events") }} as events
        left join {{ ref("stg_environment_map") }} as environments on lower(events.environment) = environments.sent_as
        where events.occurred_at <= {{ as_of() }}
    ),

    stated as (
        select *
        from events
        where event_type <> 'plan_ended'
        qualify row_number() over (partition by plan_id order by sequence desc) = 1
    ),

    ended as (
        select events.*
        from events
        inner join stated on events.plan_id = stated.plan_id and events.sequence > stated.sequence
        where events.event_type = 'plan_ended'
        qualify row_number() over (partition by events.plan_id order by events.sequence desc) = 1
    )

select
    stated.plan_id,
    stated.event_type as kind,
    {% for column in scope %} stated.{{ column }}, {% endfor %}
    stated.from_date,
    least(stated.until_date, coalesce(ended.until_date, stated.until_date)) as until_date,
    stated.reason,
    stated.actor,
    stated.occurred_at as recorded_at,
    ended.reason as end_reason,
    ended.actor as ended_by,
    ended.occurred_at as ended_at
from stated
left join ended on stated.plan_id = ended.plan_id
