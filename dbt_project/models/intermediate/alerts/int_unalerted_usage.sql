{{ config(materialized="view") }}
-- A past without what was part of something alerted.
select usage.*
from
    {{ ref("int_costed_usage") }} as usage
    {%- set dimensions = leaf_dimensions() | rejectattr("name", "equalto", "prompt_version") | list %}
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
