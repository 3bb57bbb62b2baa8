{#- The two checklists of an incident: what each asks for, by the column that says whether it is done. -#}
{% macro execution_checklist() %}
    {{
        return(
            {
                "is_spike_type_confirmed": "spike type confirmed",
                "has_owner_and_channel": "one owner and one channel",
                "is_contained_before_optimisation": "containment before optimisation",
                "is_scope_documented": "dominant endpoint, tenant and prompt version documented",
                "has_guardrail": "one permanent guardrail",
            }
        )
    }}
{% endmacro %}
{% macro hardening_checklist() %}
    {{
        return(
            {
                "is_root_cause_documented": "root cause and exact containment step",
                "is_turned_into_rule": "manual action turned into a rule",
                "is_runbook_updated": "runbook owner and escalation channel updated",
                "is_weekly_review_done": "weekly review done",
            }
        )
    }}
{% endmacro %}

{#- What is still missing in an incident's checklist, in words; NULL when nothing is. -#}
{% macro missing_of(checklist, incident) -%}
    nullif(
        concat_ws(
            '; '
            {%- for column, words in checklist.items() %}
                , case when not {{ incident }}.{{ column }} then '{{ words }}' end
            {%- endfor %}
        ),
        ''
    )
{%- endmacro %}

{#- Whole minutes elapsed from the opening of an incident to an instant of it; what happened before the record was opened
    took none, and what has not happened is unknown. -#}
{% macro minutes_since_opening(incident, column) -%}
    {%- set opened_at, instant = incident ~ ".opened_at", incident ~ "." ~ column -%}
    case
        when {{ instant }} is not null
        then cast(greatest(floor({{ dbt.datediff(opened_at, instant, "microsecond") }} / 60000000), 0) as bigint)
    end
{%- endmacro %}
