select alert_id, token_kind, metric, baseline, current, delta, ratio, effect, effect_usd
from {{ ref("int_alert_figures") }}
