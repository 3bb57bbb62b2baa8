{{ kept_by_date("usage_weeks") }}
-- The cells of a week's comparison: a week's usage by endpoint, model and price variant
-- next to that of the week before. The dollars are those that are known: exposure is
-- not spend, so it has a column of its own.
{%- set weeks = dirty_dates() %}
with
    usage as (
        select usage.*, {{ monday_of("usage.event_date") }} as week_start
        from {{ ref("int_costed_usage") }} as usage
        where {{ in_dates("event_date", with_neighbours(weeks, 7, 6)) }}
    ),

    sides as (
        select *, week_start as side_week, 'current' as side
        from usage
        union all
        select *, week_start + 7 as side_week, 'baseline' as side
        from usage
    )

select
    side_week as event_date,
    environment,
    data_mode,
    0 as round,
    endpoint_tag,
    model,
    provider || ' ' || price_variant as price_variant,
    {{ sides_of_cells("sides", "side = 'current'", "1", exposure="0") }},
    coalesce(sum(case when side = 'current' then unvalued_attempts end), 0) as unvalued_attempts,
    cast(coalesce(sum(case when side = 'current' then exposure_usd end), 0) as decimal(38, 12)) as exposure_usd
from sides
where {{ in_dates("side_week", weeks) }}
group by side_week, environment, data_mode, endpoint_tag, model, price_variant, provider
