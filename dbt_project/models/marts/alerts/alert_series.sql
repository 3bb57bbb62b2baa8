select
    alert_id,
    event_date,
    hour_of_day,
    cast({{ dbt.dateadd("hour", "hour_of_day", "event_date") }} as timestamp) as hour_start,
    observed_usd,
    observed_exposure_usd as exposure_usd,
    baseline_usd,
    observed_requests,
    baseline_requests,
    observed_errors,
    baseline_errors
from {{ ref("int_alert_hours") }}
