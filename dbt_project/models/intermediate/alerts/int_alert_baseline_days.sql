{{ config(materialized="view") }}
-- The days that say what is usual for an alert, and what its scope cost on each.
with
    costs as (
        select
            alert_id,
            event_date,
            call_date,
            sum(requests) as requests,
            sum(cost_usd) as cost_usd,
            sum(exposure_usd) as exposure_usd
        from {{ ref("int_alert_calls") }}
        where call_date < event_date
        group by alert_id, event_date, call_date
    )

select
    costs.alert_id,
    costs.call_date as baseline_date,
    bool_or(costs.event_date = alerts.onset_date) as is_of_first_day,
    cast(count(*) as integer) as compared_days,
    -- the same on whichever day it is compared with
    cast(max(costs.requests) as bigint) as requests,
    cast(max(costs.cost_usd) as decimal(38, 12)) as cost_usd,
    cast(max(costs.exposure_usd) as decimal(38, 12)) as exposure_usd
from costs
inner join {{ ref("int_alerts") }} as alerts on costs.alert_id = alerts.alert_id
group by costs.alert_id, costs.call_date
