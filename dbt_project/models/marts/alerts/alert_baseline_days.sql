select alert_id, baseline_date, is_of_first_day, compared_days, requests, cost_usd, exposure_usd
from {{ ref("int_alert_baseline_days") }}
