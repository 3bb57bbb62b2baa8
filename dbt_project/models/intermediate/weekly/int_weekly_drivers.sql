{{ kept_by_date("usage_weeks") }}
-- Which members of each dimension changed most from one week to the next.
{%- set grain = "event_date, environment, data_mode" %}
with
    leaves as ({{ usage_beside_last_week(leaf_dimensions() | map(attribute="column") | list) }}),

    members as (
        {% for dimension in leaf_dimensions() %}
            {%- set value = (
                "endpoint_tag || ' | ' || prompt_version"
                if dimension.name == "prompt_version"
                else dimension.column
            ) %}
            select
                {{ grain }},
                '{{ dimension.name }}' as dimension,
                {{ value }} as value,
                cast(sum(current_cost_usd) as decimal(38, 12)) as spend_usd,
                cast(sum(previous_cost_usd) as decimal(38, 12)) as previous_spend_usd
            from leaves
            group by {{ grain }}, {{ value }} {{ "union all" if not loop.last }}
        {% endfor %}
    ),

    ranked as (
        select
            *,
            spend_usd - previous_spend_usd as change_usd,
            cast(spend_usd as double)
            / nullif(cast(sum(spend_usd) over (partition by {{ grain }}, dimension) as double), 0) as share_of_spend,
            row_number() over (
                partition by {{ grain }}, dimension
                order by abs(spend_usd - previous_spend_usd) desc, spend_usd desc, value
            ) as rank
        from members
    )

select *
from ranked
where rank <= {{ weekly_driver_ranks() }}
