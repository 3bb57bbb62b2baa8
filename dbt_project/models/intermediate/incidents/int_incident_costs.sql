-- What an incident's problem cost above its forecast, until it was contained and until
-- it was closed (or so far).
with
    incidents as (select * from {{ ref("int_incidents") }}),

    shares as (select * from {{ ref("int_incident_shares") }}),

    days as (
        select
            incidents.incident_id,
            alerts.alert_id,
            alerts.unpriced_attempts > 0 as is_understated,
            days.event_date,
            days.excess_usd,
            {% for moment in ["contained", "closed"] %}
                case
                    when incidents.{{ moment }}_at is null or days.event_date < cast(incidents.{{ moment }}_at as date)
                    then 1
                    when days.event_date > cast(incidents.{{ moment }}_at as date)
                    then 0
                    else coalesce({{ moment }}_shares.share_before, 1)
                end as share_until_{{ moment }} {{- "," if not loop.last }}
            {% endfor %}
        from incidents
        inner join {{ ref("int_alerts") }} as alerts on incidents.problem_id = alerts.problem_id
        inner join
            {{ ref("int_alert_episode_days") }} as days
            on alerts.alert_id = {{ alert_id("days") }}
            and days.event_date >= cast(incidents.started_at as date)
            and coalesce(days.event_date <= cast(incidents.closed_at as date), true)
        {% for moment in ["contained", "closed"] %}
            left join
                shares as {{ moment }}_shares
                on incidents.incident_id = {{ moment }}_shares.incident_id
                and incidents.{{ moment }}_at = {{ moment }}_shares.instant
                and days.event_date = {{ moment }}_shares.event_date
        {% endfor %}
    )

select
    incident_id,
    count(distinct alert_id) as alerts,
    bool_or(is_understated) as is_understated,
    {% for moment, name in [("contained", "cost_until_containment_usd"), ("closed", "cost_usd")] %}
        cast(
            sum(
                case
                    when share_until_{{ moment }} = 1
                    then excess_usd
                    else cast(cast(excess_usd as double) * share_until_{{ moment }} as decimal(38, 12))
                end
            ) as decimal(38, 12)
        ) as {{ name }} {{- "," if not loop.last }}
    {% endfor %}
from days
group by incident_id
