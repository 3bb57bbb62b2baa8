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

    days as (select * from {{ ref("int_compared_days") }} where {{ in_dates("event_date", dates) }}),

    baseline as (
        select *, count(*) over (partition by {{ problem_key }}, is_same_weekday) as baseline_days
        from days
        qualify is_same_weekday or max(cast(is_same_weekday as integer)) over (partition by {{ problem_key }}) = 0
    )

select problems.*, event_date as compared_date, true as is_current, cast(null as double) as baseline_days
from problems
union all
select
    baseline.* exclude (is_same_weekday, baseline_days),
    false,
    -- of a day that is not over, as much is usual as is usually over by now
    baseline.baseline_days / coalesce(own.usual_share, total.usual_share, 1)
from baseline
left join
    {{ ref("int_judged_shares") }} as own
    on {{ same_day_scope("baseline", "own") }}
    and own.scope_dimension = 'endpoint'
    and baseline.scope_dimension in ('endpoint', 'endpoint x model')
    and split_part(baseline.scope_value, ' | ', 1) = own.scope_value
left join
    {{ ref("int_judged_shares") }} as total
    on {{ same_day_scope("baseline", "total") }}
    and total.scope_dimension = 'total'
