{{ kept_by_date("alert_signal_days") }}
-- The two sides of every comparison: the day of a problem, and the same weekdays of the
-- four weeks before; where none of them counts, all days that do (int_compared_days).
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set problem_key = "event_date, environment, data_mode, round" %}
with
    problems as (
        select {{ problem_key }}, scope_dimension, scope_value
        from {{ ref("int_problems") }}
        where {{ in_dates("event_date", dates) }}
    ),

    baseline as (
        select *
        from {{ ref("int_compared_days") }}
        where {{ in_dates("event_date", dates) }}
        qualify is_same_weekday or max(cast(is_same_weekday as integer)) over (partition by {{ problem_key }}) = 0
    )

select problems.*, event_date as compared_date, true as is_current, cast(null as bigint) as baseline_days
from problems
union all
select * exclude (is_same_weekday), false, count(*) over (partition by {{ problem_key }})
from baseline
