{{ kept_by_date("incident_days") }}
-- How much of a problem's dollars of a day had been spent at an instant of the day, by
-- the calls of its driver from the start of the incident on: the amount above a day's
-- forecast is not known by hour.
{%- set dates = dirty_dates() %}
with
    moments as (
        select incident_id, problem_id, started_at, contained_at as instant
        from {{ ref("int_incidents") }}
        where {{ in_dates("cast(contained_at as date)", dates) }}
        union
        select incident_id, problem_id, started_at, closed_at as instant
        from {{ ref("int_incidents") }}
        where {{ in_dates("cast(closed_at as date)", dates) }}
    ),

    problem_days as (
        select
            days.event_date,
            alerts.problem_id,
            drivers.environment,
            drivers.data_mode,
            {% for dimension in leaf_dimensions() %}
                drivers.{{ dimension.column }} {{- "," if not loop.last }}
            {% endfor %}
        from {{ ref("int_alert_episode_days") }} as days
        inner join {{ ref("int_alerts") }} as alerts on {{ alert_id("days") }} = alerts.alert_id
        inner join
            {{ ref("int_problem_drivers") }} as drivers
            on {{ same_day_scope("days", "drivers") }}
            and days.round = drivers.round
            and drivers.rank = 1
        where {{ in_dates("days.event_date", dates) }}
    ),

    attempts as (
        select
            event_date,
            environment,
            data_mode,
            {% for dimension in leaf_dimensions() %} {{ dimension.column }}, {% endfor %}
            occurred_at,
            cast(cost_usd as double) as cost_usd
        from {{ ref("fct_attempts") }}
        where {{ in_dates("event_date", dates) }} and cost_usd is not null
    )

select
    attempts.event_date,
    moments.incident_id,
    moments.instant,
    sum(case when attempts.occurred_at < moments.instant then attempts.cost_usd else 0 end)
    / nullif(sum(attempts.cost_usd), 0) as share_before
from moments
inner join
    problem_days
    on moments.problem_id = problem_days.problem_id
    and cast(moments.instant as date) = problem_days.event_date
inner join attempts on {{ in_segment("attempts", "problem_days") }} and attempts.occurred_at >= moments.started_at
group by attempts.event_date, moments.incident_id, moments.instant
