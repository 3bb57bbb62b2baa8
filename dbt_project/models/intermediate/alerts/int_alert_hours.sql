{{ config(materialized="view") }}
-- An alert hour by hour, on each day on which it showed, with what is usual for the
-- hour: its mean over the days compared. Hours without calls are hours too.
with
    hours as (select cast(unnest(generate_series(0, 23)) as integer) as hour_of_day),

    days as (
        select alert_id, event_date, max(through_hour) as through_hour, count(distinct call_date) - 1 as baseline_days
        from {{ ref("int_alert_calls") }}
        group by alert_id, event_date
    ),

    sides as (
        select
            alert_id,
            event_date,
            hour_of_day,
            {% for measure in ["cost_usd", "exposure_usd", "attempts", "requests"] %}
                sum(case when call_date = event_date then {{ measure }} end) as observed_{{ measure }},
                sum(case when call_date < event_date then {{ measure }} end) as baseline_{{ measure }},
            {% endfor %}
            sum(case when call_date = event_date and error_code is not null then attempts end) as observed_errors,
            sum(case when call_date < event_date and error_code is not null then attempts end) as baseline_errors
        from {{ ref("int_alert_calls") }}
        group by alert_id, event_date, hour_of_day
    )

select
    days.alert_id,
    days.event_date,
    hours.hour_of_day,
    cast(coalesce(sides.observed_cost_usd + sides.observed_exposure_usd, 0) as decimal(38, 12)) as observed_usd,
    {%- set baseline -%}
        cast(coalesce(sides.baseline_cost_usd + sides.baseline_exposure_usd, 0) as double)
        / nullif(days.baseline_days, 0)
    {%- endset %}
    cast(coalesce({{ baseline }}, 0) as decimal(38, 12)) as baseline_usd,
    cast(coalesce(sides.observed_exposure_usd, 0) as decimal(38, 12)) as observed_exposure_usd,
    {% for measure in ["requests", "attempts", "errors"] %}
        cast(coalesce(sides.observed_{{ measure }}, 0) as bigint) as observed_{{ measure }},
        coalesce(
            cast(sides.baseline_{{ measure }} as double) / nullif(days.baseline_days, 0), 0
        ) as baseline_{{ measure }}
        {{- "," if not loop.last }}
    {% endfor %}
from days
inner join hours on hours.hour_of_day <= days.through_hour
left join sides using (alert_id, event_date, hour_of_day)
