{#- The Monday of a date's ISO week. -#}
{% macro monday_of(column) -%} cast(date_trunc('week', {{ column }}) as date) {%- endmacro %}
