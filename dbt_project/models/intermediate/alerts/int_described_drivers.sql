{{ config(materialized="view") }}
-- The drivers that the search found for a problem, and the one that its spike type
-- names (rank 0), in words: dimensions joined by ` x `, values by ` | `. A version
-- implies its endpoint.
{%- set problem_key = "event_date, environment, data_mode, round" %}
with
    problems as (select * from {{ ref("int_problems") }}),

    found as (
        select
            {{ problem_key }},
            rank,
            effect,
            {% for dimension in leaf_dimensions() %} {{ dimension.column }}, {% endfor %}
            actual_usd,
            expected_usd,
            delta_usd,
            score,
            strength
        from {{ ref("int_drivers") }}
        union all
        select
            {{ problem_key }},
            0,
            effect,
            {% for dimension in leaf_dimensions() %} {{ dimension.column }}, {% endfor %}
            driver_current_usd,
            driver_baseline_usd,
            driver_delta_usd,
            score,
            strength
        from problems
    )

select
    found.*,
    problems.spike_type,
    problems.effect as top_effect,
    problems.driver_delta_usd as top_delta_usd,
    problems.score as top_score,
    concat_ws(
        ' x ',
        case when found.endpoint_tag is not null and found.prompt_version is null then 'endpoint' end
        {%- for dimension in leaf_dimensions() if dimension.name != "endpoint" -%}
            , case when found.{{ dimension.column }} is not null then '{{ dimension.name }}' end
        {%- endfor %}
    ) as driver_dimension,
    concat_ws(
        ' | ',
        case when found.prompt_version is null then found.endpoint_tag end
        {%- for dimension in leaf_dimensions() if dimension.name != "endpoint" -%}
            , found.{{ dimension.column }}
        {%- endfor %}
    ) as driver_value,
    {% for dimension in leaf_dimensions() %}
        cast(found.{{ dimension.column }} is not null as integer) {{ "+" if not loop.last }}
    {% endfor %} as depth,
    {% for dimension in leaf_dimensions() %}
        coalesce(found.{{ dimension.column }} = problems.{{ dimension.column }}, found.{{ dimension.column }} is null)
        {{ "and" if not loop.last }}
    {% endfor %} as is_within_top,
    {% for dimension in leaf_dimensions() %}
        coalesce(
            found.{{ dimension.column }} = problems.{{ dimension.column }}, problems.{{ dimension.column }} is null
        )
        {{ "and" if not loop.last }}
    {% endfor %} as is_part_of_top,
    case
        problems.spike_type
        when 'abuse'
        then found.user_id is not null
        when 'concentration'
        then found.tenant_id is not null
        when 'unknown_model'
        then found.model is not null
        else found.rank = 0
    end as tells_the_type
from found
inner join problems using ({{ problem_key }})
