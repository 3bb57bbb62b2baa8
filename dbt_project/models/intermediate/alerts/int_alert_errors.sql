{{ config(materialized="view") }}
-- The errors in the scope of an alert on its first day, and how many of each are usual.
with
    days as (
        select alert_id, event_date, count(distinct call_date) - 1 as baseline_days
        from {{ ref("int_alert_calls") }}
        group by alert_id, event_date
    )

select
    calls.alert_id,
    calls.error_code,
    calls.http_status,
    cast(sum(case when calls.call_date = calls.event_date then calls.attempts else 0 end) as bigint) as current_errors,
    coalesce(
        cast(sum(case when calls.call_date < calls.event_date then calls.attempts else 0 end) as double)
        / nullif(any_value(days.baseline_days), 0),
        0
    ) as baseline_errors,
    {% for measure in ["cost_usd", "exposure_usd"] %}
        cast(
            sum(case when calls.call_date = calls.event_date then calls.{{ measure }} else 0 end) as decimal(38, 12)
        ) as current_{{ measure }},
        cast(
            coalesce(
                cast(sum(case when calls.call_date < calls.event_date then calls.{{ measure }} else 0 end) as double)
                / nullif(any_value(days.baseline_days), 0),
                0
            ) as decimal(38, 12)
        ) as baseline_{{ measure }}
        {{- "," if not loop.last }}
    {% endfor %}
from {{ ref("int_alert_calls") }} as calls
inner join
    {{ ref("int_alerts") }} as alerts on calls.alert_id = alerts.alert_id and calls.event_date = alerts.onset_date
inner join days on calls.alert_id = days.alert_id and calls.event_date = days.event_date
where calls.error_code is not null
group by calls.alert_id, calls.error_code, calls.http_status
