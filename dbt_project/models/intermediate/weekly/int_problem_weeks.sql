-- What each problem did in each week in which it showed. A muted alert is not news.
with
    days as (
        select {{ alert_id("days") }} as alert_id, days.event_date, days.excess_usd
        from {{ ref("int_alert_episode_days") }} as days
    )

select
    {{ monday_of("days.event_date") }} as week_start,
    alerts.problem_id,
    count(distinct days.event_date) as days,
    count(distinct case when days.event_date = alerts.onset_date then alerts.alert_id end) as occurrences,
    sum(days.excess_usd) as cost_impact_usd,
    bool_or(alerts.unpriced_attempts > 0) as is_understated,
    max_by(published.severity, {{ severity_rank("published.severity") }}) as severity,
    max_by(published.drill_url, alerts.onset_date) as drill_url,
    min(days.event_date) as first_date,
    max(days.event_date) as last_date,
    min(case when days.event_date = alerts.onset_date then days.event_date end) as first_onset_date,
    max(case when days.event_date = alerts.onset_date then days.event_date end) as last_onset_date,
    string_agg(distinct alerts.alert_id, ', ' order by alerts.alert_id) as alert_ids
from days
inner join {{ ref("int_alerts") }} as alerts on days.alert_id = alerts.alert_id
inner join {{ ref("int_alert_rows") }} as published on days.alert_id = published.alert_id
where not alerts.is_muted and alerts.alert_id not in (select alert_id from {{ ref("int_alert_plans") }})
group by {{ monday_of("days.event_date") }}, alerts.problem_id
