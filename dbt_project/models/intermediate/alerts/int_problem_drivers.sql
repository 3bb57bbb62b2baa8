{{ config(materialized="view") }}
-- The drivers of a problem by rank. Descriptions of nearly the same dollars are one
-- driver: the shortest names it, unless only a longer one shows the spike type, and the
-- others are listed as its equivalents.
{%- set problem_key = "event_date, environment, data_mode, round" %}
with
    named as (
        select
            *,
            effect = top_effect
            and is_within_top
            and abs(delta_usd - top_delta_usd) <= {{ alert_parameter("equivalent_delta") }} * top_delta_usd
            and score >= {{ alert_parameter("equivalent_score") }} * top_score as is_same_driver
        from {{ ref("int_described_drivers") }}
        qualify
            row_number() over (partition by {{ problem_key }}, driver_dimension, driver_value, effect order by rank) = 1
    ),

    chosen as (
        select
            *,
            row_number() over (
                partition by {{ problem_key }}
                order by
                    case when is_same_driver and tells_the_type then 0 when rank = 0 then 1 else 2 end,
                    case when is_same_driver and tells_the_type then depth end nulls last,
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
        tells_the_type,
        top_effect,
        top_delta_usd,
        top_score,
        depth
    ),
    row_number() over (partition by {{ problem_key }} order by chosen.place) as rank,
    case when chosen.place = 1 then equivalents.equivalents end as equivalents,
    -- compared with the strongest that names something else: its own parts and parents
    -- do not compete with it
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
qualify
    row_number() over (partition by {{ problem_key }} order by chosen.place)
    <= {{ alert_parameter("drivers_of_a_problem") }}
