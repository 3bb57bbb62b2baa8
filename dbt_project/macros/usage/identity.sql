{#- How many days before and after a date identity reads. Three rounds of labels (3w), a bare success that attaches
    to an evidenced one (w), the first date of an attempt (2w) and its group (w), the first date of a request (2w):
    back; the mirror of the group: ahead. A day so far away cannot change a decision, so reading this far gives the
    rows of a full refresh. -#}
{% macro identity_reach() %}
    {{ return({"back": 10 * identity_window_days(), "ahead": 6 * identity_window_days()}) }}
{% endmacro %}

{#- What makes deliveries, or attempts, comparable at all: a test replay of real ids deletes nothing. -#}
{% macro identity_scope_columns() %} {{ return("identity_scope, environment, data_mode") }} {% endmacro %}

{#- A frame over the same identity in the days around a row. -#}
{% macro around(keys, back, ahead) -%}
    (
        partition by {{ identity_scope_columns() }}, {{ keys }}
        order by
            day_number
            range between {{ back }} preceding and {{ ahead ~ " following" if ahead >= 0 else (-ahead) ~ " preceding" }}
    )
{%- endmacro %}

{#- Whether nothing of the same identity happened in the window before: then a row starts an attempt, or a request. -#}
{% macro starts_identity(keys) -%}
    max(day_number) over {{ around(keys, identity_window_days(), -1) }} is null
{%- endmacro %}

{#- The day that a row's identity started: its own, or a start within the window before. A run of days longer than the window
    starts anew instead of chaining for ever, so the decision stays local. -#}
{% macro identity_day(keys) -%}
    case
        when starts
        then day_number
        else
            coalesce(
                min(case when starts then day_number end) over {{ around(keys, identity_window_days(), -1) }},
                day_number
            )
    end
{%- endmacro %}

{#- The name of an attempt, unique within source, environment and data mode: an id used again far away is another attempt. -#}
{% macro attempt_key(label, date) -%} {{ label }} || '@' || {{ date }} {%- endmacro %}

{#- Labels of attempts. A letter says of what a label is made, and what follows the last `#` never holds one: whatever ids senders
    invent, two labels are equal only where both are made of the same ids. In the order of the alphabet the label with more
    evidence comes first: that is how one is chosen among those that deliveries share. -#}
{% macro pair_label() -%}
    case
        when attempt is not null
        then 'a:' || request_id || '#' || attempt
        -- an error without either id is identified by its instant
        when provider_request_id is null and status = 'error'
        then 'e:' || request_id || '#' || occurred_at
    end
{%- endmacro %}

{% macro provider_label() -%} 'p:' || provider_request_id {%- endmacro %}

{% macro success_label() -%} 's:' || request_id {%- endmacro %}

{#- The label of a delivery that shares its ids with no other. -#}
{% macro own_attempt_label() -%}
    coalesce({{ pair_label() }}, {{ provider_label() }}, {{ success_label() }})
{%- endmacro %}

{#- What one emitter of a call may say and another leave out: the kept delivery takes it from the others. -#}
{% macro dimensions_of_emitters() %}
    {{ return(["endpoint_tag", "prompt_version", "feature_tag", "tenant_id", "user_id"]) }}
{% endmacro %}

{#- How many kinds of tokens a delivery counts: more know more about what the call costs. -#}
{% macro known_parts() -%}
    {%- for count in token_counts() -%}
        case when {{ count.name }} is not null then 1 else 0 end {{- " + " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
