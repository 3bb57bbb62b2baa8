-- The calendar of each budget in its own time zone, from its first limit, or the first
-- usage of all, to the instant of the run.
with
    budgets as (
        select
            budget_id,
            period,
            time_zone,
            carry_over,
            min(valid_from_at) as valid_from_at,
            case when bool_or(valid_to_at is null) then null else max(valid_to_at) end as valid_to_at
        from {{ ref("int_budgets") }}
        group by budget_id, period, time_zone, carry_over
    ),

    known as (select cast(min(event_date) as timestamp) as first_at from {{ ref("costed_usage_days") }}),

    spans as (
        select
            budgets.*,
            date_trunc(
                period, {{ local_time("greatest(budgets.valid_from_at, known.first_at)", "time_zone") }}
            ) as first_local,
            {{
                local_time(
                    "least(" ~ as_of() ~ ", coalesce(budgets.valid_to_at - interval 1 second, " ~ as_of() ~ "))",
                    "time_zone",
                )
            }} as last_local
        from budgets
        cross join known
        where known.first_at is not null
    ),

    starts as (
        select *, unnest(generate_series(first_local, last_local, {{ period_interval("period") }})) as start_local
        from spans
    )

select
    budget_id,
    period,
    time_zone,
    carry_over,
    cast(start_local as date) as period_start,
    cast(start_local + {{ period_interval("period") }} as date) as period_end,
    {{ utc_time("start_local", "time_zone") }} as starts_at,
    {{ utc_time("start_local + " ~ period_interval("period"), "time_zone") }} as ends_at
from starts
