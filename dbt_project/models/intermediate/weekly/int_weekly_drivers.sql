{{ kept_by_date("usage_weeks") }}
-- Which members of each dimension changed most from one week to the next.
{%- set day_scope = "event_date, environment, data_mode" %}
with
    leaves as ({{ usage_of_two_weeks(leaf_dimensions() | map(attribute="column") | list) }}),

    members as (
        {% for dimension in leaf_dimensions() %}
            {%- set member = (
                "endpoint_tag || ' | ' || prompt_version"
                if dimension.name == "prompt_version"
                else dimension.column
            ) %}
            select
                {{ day_scope }},
                '{{ dimension.name }}' as dimension,
                {{ member }} as member,
                {% for side, name in [("current", "spend_usd"), ("previous", "previous_spend_usd")] %}
                    -- of a member that used only what has no price the spend is unknown
                    case
                        when sum({{ side }}_cost_usd) <> 0 or sum({{ side }}_unpriced_attempts) = 0
                        then cast(sum({{ side }}_cost_usd) as decimal(38, 12))
                    end as {{ name }} {{- "," if not loop.last }}
                {% endfor %}
            from leaves
            group by {{ day_scope }}, {{ member }} {{ "union all" if not loop.last }}
        {% endfor %}
    ),

    ranked as (
        select
            *,
            spend_usd - previous_spend_usd as change_usd,
            cast(spend_usd as double) / nullif(
                cast(sum(spend_usd) over (partition by {{ day_scope }}, dimension) as double), 0
            ) as share_of_spend,
            row_number() over (
                partition by {{ day_scope }}, dimension
                order by abs(spend_usd - previous_spend_usd) desc nulls last, spend_usd desc nulls last, member
            ) as rank
        from members
    )

select *
from ranked
where rank <= {{ weekly_driver_ranks() }}
