{{ config(materialized="view") }}
-- The drivers of a problem by rank. Descriptions of nearly the same dollars are one driver: the shortest names it,
-- unless the spike type is told by a longer one, and the others stand beside it as equivalents.
{%- set problem_key = "event_date, environment, data_mode, round" %}
with
    problems as (select * from {{ ref("int_problems") }}),

    -- what the scan found, and what the spike type made of it
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
    ),

    described as (
        select
            found.*,
            problems.spike_type,
            problems.effect as top_effect,
            problems.driver_delta_usd as top_delta_usd,
            problems.score as top_score,
            {{ driver_dimension("found") }} as driver_dimension,
            {{ driver_value("found") }} as driver_value,
            {{ depth("found") }} as depth,
            {% for dimension in leaf_dimensions() %}
                coalesce(
                    found.{{ dimension.column }} = problems.{{ dimension.column }}, found.{{ dimension.column }} is null
                )
                {{ "and" if not loop.last }}
            {% endfor %} as is_within_top,
            {% for dimension in leaf_dimensions() %}
                coalesce(
                    found.{{ dimension.column }} = problems.{{ dimension.column }},
                    problems.{{ dimension.column }} is null
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
            end as tells_the_class
        from found
        inner join problems using ({{ problem_key }})
    ),

    named as (
        select
            *,
            effect = top_effect
            and is_within_top
            and abs(delta_usd - top_delta_usd) <= 0.15 * top_delta_usd
            and score >= 0.3 * top_score as is_same_driver
        from described
        qualify
            row_number() over (partition by {{ problem_key }}, driver_dimension, driver_value, effect order by rank) = 1
    ),

    chosen as (
        select
            *,
            row_number() over (
                partition by {{ problem_key }}
                order by
                    case when is_same_driver and tells_the_class then 0 when rank = 0 then 1 else 2 end,
                    case when is_same_driver and tells_the_class then depth end,
                    rank
            ) as place
        from named
    ),

    equivalents as (
        select
            {{ problem_key }},
            string_agg(driver_dimension || ': ' || driver_value, '; ' order by rank, driver_dimension) as equivalents
        from chosen
        where place > 1 and is_same_driver
        group by {{ problem_key }}
    )

select
    chosen.* exclude (
        rank,
        place,
        is_within_top,
        is_part_of_top,
        is_same_driver,
        tells_the_class,
        top_effect,
        top_delta_usd,
        top_score,
        depth
    ),
    row_number() over (partition by {{ problem_key }} order by chosen.place) as rank,
    case when chosen.place = 1 then equivalents.equivalents end as equivalents,
    -- against the strongest that says something else: its own parts and parents are no rivals
    strength / nullif(
        strength + coalesce(
            max(case when effect <> top_effect or not (is_within_top or is_part_of_top) then strength end) over (
                partition by {{ problem_key }}
            ),
            0
        ),
        0
    ) as confidence
from chosen
left join equivalents using ({{ problem_key }})
where chosen.place = 1 or not is_same_driver
qualify row_number() over (partition by {{ problem_key }} order by chosen.place) <= 3
