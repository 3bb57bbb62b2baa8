{#- What is watched, and the columns that name a series. Versions belong to their endpoint: v7 of two endpoints are two
    versions. -#}
{% macro watched_series() %}
    {{
        return(
            {
                "total": [],
                "endpoint": ["endpoint_tag"],
                "endpoint x prompt_version": ["endpoint_tag", "prompt_version"],
                "tenant": ["tenant_id"],
                "user": ["user_id"],
                "model": ["model"],
                "endpoint x model": ["endpoint_tag", "model"],
            }
        )
    }}
{% endmacro %}

{#- Of `dates`, those on which something rose, so that a driver is searched for. -#}
{% macro dates_with_signals(dates) %}
    {%- set signals = ref("int_alert_signals") -%}
    {%- if not dates -%} {{ return([]) }} {%- endif -%}
    {%- set rising -%}
        select distinct event_date from {{ signals }} where observed > expected and {{ in_dates("event_date", dates) }} order by 1
    {%- endset -%}
    {{ return(run_query(rising).columns[0].values() | list) }}
{% endmacro %}

{#- Of `dates`, those that are complete. -#}
{% macro complete_dates(dates) %}
    {%- set days = ref("alert_open_days") -%}
    {%- if not dates -%} {{ return([]) }} {%- endif -%}
    {%- set open = run_query("select event_date from " ~ days).columns[0].values() | list -%}
    {{ return(dates | reject("in", open) | list) }}
{% endmacro %}

{#- Whether two rows are of the same date, environment and data mode. -#}
{% macro same_day_scope(left, right) -%}
    {{ left }}.event_date = {{ right }}.event_date
    and {{ left }}.environment = {{ right }}.environment
    and {{ left }}.data_mode = {{ right }}.data_mode
{%- endmacro %}

{#- Whether a leaf lies in a segment: NULL is any. A leaf without a value that the segment has lies outside. -#}
{% macro in_segment(leaf, segment, dimensions=none) -%}
    {{ same_day_scope(leaf, segment) }}
    {%- for dimension in leaf_dimensions() if not dimensions or dimension.name in dimensions %}
        and coalesce(
            {{ leaf }}.{{ dimension.column }} = {{ segment }}.{{ dimension.column }},
            {{ segment }}.{{ dimension.column }} is null
        )
    {%- endfor %}
{%- endmacro %}

{#- Whether a leaf's usage belongs to a watched series, on its day. -#}
{% macro in_series(leaf, series) -%} {{ same_day_scope(leaf, series) }} and {{ in_scope(leaf, series) }} {%- endmacro %}

{#- The same on any day. -#}
{% macro in_scope(leaf, series) -%}
    case
        {{ series }}.scope_dimension
        when 'total'
        then true
        when 'endpoint'
        then {{ leaf }}.endpoint_tag = {{ series }}.scope_value
        when 'tenant'
        then {{ leaf }}.tenant_id = {{ series }}.scope_value
        when 'user'
        then {{ leaf }}.user_id = {{ series }}.scope_value
        when 'model'
        then {{ leaf }}.model = {{ series }}.scope_value
        when 'endpoint x model'
        then {{ leaf }}.endpoint_tag || ' | ' || {{ leaf }}.model = {{ series }}.scope_value
        when 'endpoint x prompt_version'
        then {{ leaf }}.endpoint_tag = split_part({{ series }}.scope_value, ' | ', 1)
    end
{%- endmacro %}
