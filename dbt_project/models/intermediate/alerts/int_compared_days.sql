{{ kept_by_date("alert_signal_days") }}
-- What "usual" means, once for everything that compares: the days of the four weeks
-- before a problem on which its environment has data, without the scope's own alerted
-- days. A day is compared with those of its weekday, and where there is none, with all.
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set problem_key = "event_date, environment, data_mode, round" %}
with
    problems as (
        select {{ problem_key }}, scope_dimension, scope_value
        from {{ ref("int_problems") }}
        where {{ in_dates("event_date", dates) }}
    )

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
    and past.event_date between problems.event_date - {{ alert_parameter("usual_days") }} and problems.event_date - 1
left join
    {{ ref("int_masked_days") }} as masked
    on past.environment = masked.environment
    and past.data_mode = masked.data_mode
    and past.event_date = masked.event_date
    and problems.scope_dimension = masked.scope_dimension
    and problems.scope_value = masked.scope_value
where masked.event_date is null
