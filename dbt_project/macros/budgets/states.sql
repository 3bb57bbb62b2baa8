{#- Severity of a state, so that states can be compared. -#}
{% macro budget_severity(state) -%}
    case {{ state }} when 'ok' then 0 when 'warning' then 1 when 'spend_alert' then 2 when 'exceeded' then 3 end
{%- endmacro %}

{#- The state that spend alone gives. A limit of zero is exceeded by anything and never warned about. -#}
{% macro budget_state_of_spend(spent_usd, quarters="quarters") -%}
    case
        when {{ spent_usd }} > {{ quarters }}.limit_usd
        then 'exceeded'
        when {{ quarters }}.limit_usd > 0 and {{ spent_usd }} >= {{ quarters }}.warning_usd
        then 'warning'
        else 'ok'
    end
{%- endmacro %}
