-- What stood out by some hour of a day that is not complete, as it is by the last hour
-- that counts: an alert does not come and go with the hours.
{%- set key = "alert_type, measure, environment, data_mode, scope_dimension, scope_value, event_date" %}
with
    judgements as (select *, true as is_open from {{ ref("int_hourly_judgements") }}),

    found as (
        select {{ key }}, min(hour_of_day) as first_hour, max(z) as z
        from ({{ judged_by_rules("judgements") }})
        group by {{ key }}
    ),

    latest as (
        select judgements.*
        from judgements
        inner join {{ ref("int_open_hours") }} as hours using (event_date, environment, data_mode)
        where judgements.hour_of_day = hours.through_hour
    )

select
    {{ key }}, latest.usual_spend_usd, latest.observed, latest.expected, latest.is_seasonal, found.first_hour, found.z
from found
inner join latest using ({{ key }})
