{{ kept_by_date("alert_signal_days") }}
-- The days that every problem is compared with: the same weekdays of the four weeks
-- before. Days that were alerted themselves are not part of the baseline; a scope
-- without such weekdays is compared with its other days.
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set usual_days = alert_parameter("usual_days") %}
{%- set problem_key = "event_date, environment, data_mode, round" %}
with
    problems as (
        select {{ problem_key }}, scope_dimension, scope_value
        from {{ ref("int_problems") }}
        where {{ in_dates("event_date", dates) }}
    ),

    days as (
        select
            problems.*,
            past.event_date as compared_date,
            extract(dayofweek from past.event_date) = extract(dayofweek from problems.event_date) as is_same_weekday
        from problems
        inner join
            {{ ref("int_watched_series") }} as past
            on problems.environment = past.environment
            and problems.data_mode = past.data_mode
            and past.scope_dimension = 'total'
            and past.event_date between problems.event_date - {{ usual_days }} and problems.event_date - 1
        left join
            {{ ref("int_masked_days") }} as masked
            on past.environment = masked.environment
            and past.data_mode = masked.data_mode
            and past.event_date = masked.event_date
            and problems.scope_dimension = masked.scope_dimension
            and problems.scope_value = masked.scope_value
        where masked.event_date is null
    ),

    baseline as (
        select *
        from days
        qualify is_same_weekday or max(cast(is_same_weekday as integer)) over (partition by {{ problem_key }}) = 0
    )

select problems.*, event_date as compared_date, true as is_current, cast(null as bigint) as baseline_days
from problems
union all
select * exclude (is_same_weekday), false, count(*) over (partition by {{ problem_key }})
from baseline
