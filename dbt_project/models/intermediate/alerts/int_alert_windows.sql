{{ config(materialized="view") }}
-- An alert over all days on which it showed, with what is usual for these days.
select
    alert_id,
    cast(sum(observed_usd) as decimal(38, 12)) as window_observed_usd,
    cast(sum(baseline_usd) as decimal(38, 12)) as window_baseline_usd,
    cast(sum(observed_usd) - sum(baseline_usd) as decimal(38, 12)) as window_delta_usd,
    cast(sum(observed_exposure_usd) as decimal(38, 12)) as window_exposure_usd
from {{ ref("int_alert_hours") }}
group by alert_id
