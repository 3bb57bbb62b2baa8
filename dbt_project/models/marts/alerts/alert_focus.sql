select alert_id, dimension, rank, member, current_requests, baseline_requests, current_usd, baseline_usd, delta_usd
from {{ ref("int_alert_members") }}
