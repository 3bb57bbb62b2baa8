-- Every name that usage ever had, by what it is a name of.
{%- set kinds = {
    "environment": "environment",
    "endpoint": "endpoint_tag",
    "prompt_version": "prompt_version",
    "tenant": "tenant_id",
    "user": "user_id",
    "provider": "provider",
    "model": "model",
} %}
{%- for kind, column in kinds.items() %}
    select distinct '{{ kind }}' as kind, {{ column }} as name
    from {{ ref("int_usage_daily") }}
    union all
{%- endfor %}
select distinct 'feature' as kind, feature_tag as name
from {{ ref("fct_attempts") }}
where feature_tag is not null
union all
select distinct 'source' as kind, source as name
from {{ ref("int_quality_daily") }}
