{{ config(materialized="view") }}
-- An alert over all days on which it showed, with what is usual for these days; a day
-- that is not complete has fewer hours.
with
    days as (
        select
            alert_id,
            event_date,
            count(*) as hours,
            sum(observed_usd) as observed_usd,
            sum(baseline_usd) as baseline_usd,
            sum(observed_exposure_usd) as exposure_usd
        from {{ ref("int_alert_hours") }}
        group by alert_id, event_date
    )

select
    alert_id,
    min_by(hours, event_date) as first_day_hours,
    cast(sum(observed_usd) as decimal(38, 12)) as window_observed_usd,
    cast(sum(baseline_usd) as decimal(38, 12)) as window_baseline_usd,
    cast(sum(observed_usd) - sum(baseline_usd) as decimal(38, 12)) as window_delta_usd,
    cast(sum(exposure_usd) as decimal(38, 12)) as window_exposure_usd
from days
group by alert_id
