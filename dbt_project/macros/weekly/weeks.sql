{#- The Monday of a date's ISO week. -#}
{% macro monday_of(column) -%} cast(date_trunc('week', {{ column }}) as date) {%- endmacro %}

{#- The environment of what belongs to no single one: budgets over all of them. -#}
{% macro all_environments() -%} '(all)' {%- endmacro %}
