{#- The fields of an incident event, besides who, when and which incident. -#}
{% macro incident_event_fields() %}
    {{
        return(
            [
                "alert_id",
                "problem_id",
                "environment",
                "data_mode",
                "spike_type",
                "started_at",
                "title",
                "endpoint_tag",
                "prompt_version",
                "tenant_id",
                "user_id",
                "model",
                "owner",
                "channel",
                "containment_action",
                "root_cause",
                "guardrail",
                "runbook_url",
                "escalation_channel",
                "reason",
                "note",
            ]
        )
    }}
{% endmacro %}

{#- A field as the last event of a type that has it gives it. -#}
{% macro last_given(field, event_type) -%}
    max_by({{ field }}, case when event_type = '{{ event_type }}' and {{ field }} is not null then sequence end)
{%- endmacro %}

{#- When an event of a type happened first, or last. -#}
{% macro first_time(event_type) -%} min(case when event_type = '{{ event_type }}' then occurred_at end) {%- endmacro %}
{% macro last_time(event_type) -%} max(case when event_type = '{{ event_type }}' then occurred_at end) {%- endmacro %}

{#- What incidents are after `events` (those that count, already cut to the instant that is asked about), one row per `keys`. -#}
{% macro incident_states(events, keys) %}
    with
        folded as (
            select
                {{ keys }},
                {% for field in ["alert_id", "problem_id", "environment", "data_mode", "title", "user_id", "model"] %}
                    {{ last_given(field, "opened") }} as {{ field }},
                {% endfor %}
                coalesce(
                    {{ last_given("spike_type", "spike_type_confirmed") }}, {{ last_given("spike_type", "opened") }}
                ) as spike_type,
                {% for field in ["endpoint_tag", "tenant_id", "prompt_version"] %}
                    coalesce(
                        {{ last_given(field, "scope_documented") }}, {{ last_given(field, "opened") }}
                    ) as {{ field }},
                {% endfor %}
                {{ last_given("owner", "owner_assigned") }} as owner,
                {{ last_given("channel", "channel_set") }} as channel,
                {{ last_given("containment_action", "containment_applied") }} as containment_action,
                {{ last_given("root_cause", "root_cause_found") }} as root_cause,
                {{ last_given("guardrail", "guardrail_added") }} as guardrail,
                {{ first_time("opened") }} as opened_at,
                coalesce(
                    {{ last_given("started_at", "opened") }},
                    {{ last_given("alert_started_at", "opened") }},
                    {{ first_time("opened") }}
                ) as started_at,
                {{ first_time("owner_assigned") }} as assigned_at,
                {{ first_time("containment_applied") }} as contained_at,
                {{ last_time("containment_applied") }} as last_contained_at,
                {{ last_time("closed") }} as last_closed_at,
                {{ last_time("reopened") }} as last_reopened_at,
                {{ first_time("guardrail_added") }} as guardrail_at,
                {{ first_time("spike_type_confirmed") }} as confirmed_at,
                {{ first_time("scope_documented") }} as documented_at,
                {{ last_time("runbook_updated") }} as runbook_updated_at,
                {{ last_time("weekly_review_done") }} as reviewed_at,
                cast(sum(case when event_type = 'reopened' then 1 else 0 end) as bigint) as times_reopened,
                max_by(event_type, case when event_type in ('opened', 'closed', 'reopened') then sequence end)
                = 'closed' as is_closed,
                count(*) as events,
                max(occurred_at) as last_event_at
            from {{ events }}
            group by {{ keys }}
        )

    select
        *,
        case when is_closed then last_closed_at end as closed_at,
        case
            when is_closed
            then 'closed'
            when last_contained_at >= coalesce(last_reopened_at, last_contained_at)
            then 'contained'
            else 'open'
        end as status,
        confirmed_at is not null as is_spike_type_confirmed,
        owner is not null and channel is not null as has_owner_and_channel,
        -- a rule that is made before the spending is stopped does not count:
        -- containment comes first
        coalesce(contained_at <= coalesce(guardrail_at, contained_at), false) as is_contained_before_optimisation,
        documented_at is not null as is_scope_documented,
        guardrail is not null as has_guardrail,
        root_cause is not null and containment_action is not null as is_root_cause_documented,
        -- a rule that existed before the containment is not a result of this incident
        guardrail is not null and containment_action is not null as is_turned_into_rule,
        runbook_updated_at is not null as is_runbook_updated,
        reviewed_at is not null as is_weekly_review_done
    from folded
{% endmacro %}
