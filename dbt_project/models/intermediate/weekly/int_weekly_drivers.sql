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
                {% for side, name in [("current", "spend_usd"), ("previous", "previous_spend_usd")] %}
                    -- of a member that used only what has no price the spend is unknown
                    case
                        when sum({{ side }}_cost_usd) <> 0 or sum({{ side }}_unpriced_attempts) = 0
                        then cast(sum({{ side }}_cost_usd) as decimal(38, 12))
                    end as {{ name }} {{- "," if not loop.last }}
                {% endfor %}
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
                order by abs(spend_usd - previous_spend_usd) desc nulls last, spend_usd desc nulls last, value
            ) as rank
        from members
    )

select *
from ranked
where rank <= {{ weekly_driver_ranks() }}
