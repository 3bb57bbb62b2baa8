{#- The series that are watched. Versions belong to their endpoint: v7 of two endpoints are two versions. -#}
{% macro watched_series() %}
    {{
        return(
            [
                {"dimension": "total", "columns": []},
                {"dimension": "endpoint", "columns": ["endpoint_tag"]},
                {"dimension": "endpoint x prompt_version", "columns": ["endpoint_tag", "prompt_version"]},
                {"dimension": "tenant", "columns": ["tenant_id"]},
                {"dimension": "user", "columns": ["user_id"]},
                {"dimension": "model", "columns": ["model"]},
                {"dimension": "endpoint x model", "columns": ["endpoint_tag", "model"]},
            ]
        )
    }}
{% endmacro %}

{#- Of `dates`, those on which something rose and wants a driver. -#}
{% macro dates_with_signals(dates) %}
    {%- set signals = ref("int_alert_signals") -%}
    {%- if not dates -%} {{ return([]) }} {%- endif -%}
    {%- set rising -%}
        select distinct event_date from {{ signals }} where observed > expected and {{ in_dates("event_date", dates) }} order by 1
    {%- endset -%}
    {{ return(run_query(rising).columns[0].values() | list) }}
{% endmacro %}

{% macro same_day_scope(left, right) -%}
    {{ left }}.event_date = {{ right }}.event_date
    and {{ left }}.environment = {{ right }}.environment
    and {{ left }}.data_mode = {{ right }}.data_mode
{%- endmacro %}

{#- Whether a leaf lies in a segment: NULL is any. A leaf that knows less than the segment says lies outside. -#}
{% macro in_segment(leaf, segment, dimensions=none) -%}
    {{ same_day_scope(leaf, segment) }}
    {%- for dimension in leaf_dimensions() if not dimensions or dimension.name in dimensions %}
        and coalesce(
            {{ leaf }}.{{ dimension.column }} = {{ segment }}.{{ dimension.column }},
            {{ segment }}.{{ dimension.column }} is null
        )
    {%- endfor %}
{%- endmacro %}

{% macro in_series(leaf, series) -%} {{ same_day_scope(leaf, series) }} and {{ in_scope(leaf, series) }} {%- endmacro %}

{#- Whether usage belongs to a watched series. -#}
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

{#- What a leaf's calls sum to, as far as its dollars are told from it. -#}
{% macro usage_measures() %}
    {{
        return(
            [
                "requests",
                "billed_attempts",
                "tokens",
                "cost_usd",
                "cost_usd_squares",
                "unpriced_tokens",
                "unpriced_token_squares",
            ]
        )
    }}
{% endmacro %}

{#- Usage without what was part of something alerted. A version is alerted as its endpoint. -#}
{% macro unalerted(usage) %}
    {%- set dimensions = leaf_dimensions() | rejectattr("name", "equalto", "prompt_version") | list %}
    select usage.*
    from {{ usage }} as usage
    {%- for dimension in dimensions %}
        left join
            {{ ref("int_masked_days") }} as masked_{{ dimension.name }}
            on masked_{{ dimension.name }}.scope_dimension = '{{ dimension.name }}'
            and usage.environment = masked_{{ dimension.name }}.environment
            and usage.data_mode = masked_{{ dimension.name }}.data_mode
            and usage.event_date = masked_{{ dimension.name }}.event_date
            and usage.{{ dimension.column }} = masked_{{ dimension.name }}.scope_value
    {%- endfor %}
    where
        {%- for dimension in dimensions %}
            masked_{{ dimension.name }}.event_date is null {{ "and" if not loop.last }}
        {%- endfor %}
{% endmacro %}
