{{ kept_by_date("usage_weeks") }}
-- Which members of each dimension changed most from one week to the next.
{%- set weeks = dirty_dates() %}
{%- set day_scope = "event_date, environment, data_mode" %}
{%- set sides = [("current", "spend_usd"), ("previous", "previous_spend_usd")] %}
with
    usage as (
        select *, {{ monday_of("event_date") }} as week_start
        from {{ ref("int_costed_usage") }}
        where {{ in_dates("event_date", with_neighbours(weeks, 7, 6)) }}
    ),

    -- a member's week is summed before it is compared with another: few rows are left
    -- by then
    totals as (
        {% for dimension in leaf_dimensions() %}
            {%- set member = (
                "endpoint_tag || ' | ' || prompt_version"
                if dimension.name == "prompt_version"
                else dimension.column
            ) %}
            select
                week_start,
                environment,
                data_mode,
                '{{ dimension.name }}' as dimension,
                {{ member }} as member,
                sum(cost_usd) as cost_usd,
                sum(unpriced_attempts) as unpriced_attempts
            from usage
            group by week_start, environment, data_mode, {{ member }} {{ "union all" if not loop.last }}
        {% endfor %}
    ),

    sides as (
        select *, week_start as event_date, 'current' as side
        from totals
        union all
        select *, week_start + 7 as event_date, 'previous' as side
        from totals
    ),

    members as (
        select
            {{ day_scope }},
            dimension,
            member,
            {% for side, name in sides %}
                {%- set cost = "coalesce(sum(case when side = '" ~ side ~ "' then cost_usd end), 0)" %}
                -- the spend of a member whose usage has no price at all is unknown
                case
                    when
                        {{ cost }} <> 0
                        or coalesce(sum(case when side = '{{ side }}' then unpriced_attempts end), 0) = 0
                    then cast({{ cost }} as decimal(38, 12))
                end as {{ name }} {{- "," if not loop.last }}
            {% endfor %}
        from sides
        where {{ in_dates("event_date", weeks) }}
        group by {{ day_scope }}, dimension, member
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
