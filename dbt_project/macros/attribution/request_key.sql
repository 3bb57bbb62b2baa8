{#- What names a logical request in the fact. -#}
{% macro request_key() %} {{ return("source, environment, data_mode, request_id, request_date") }} {% endmacro %}
