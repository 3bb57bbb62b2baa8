{{ kept_by_date("alert_days") }}
-- A first judgement with every day in it: what stands out here, up or down, is left out of the past in the second.
{%- set dirty = dirty_dates() %}
{%- set key = "environment, data_mode, scope_dimension, scope_value, event_date" %}
{% for judged in [
    judged_drift(dirty, "cost"),
    judged_drift(dirty, "requests"),
    judged_intensity(dirty, "cost"),
    judged_intensity(dirty, "typical cost"),
    judged_intensity(dirty, "calls"),
] %}
    select {{ key }}
    from ({{ judged }})
    where
        abs(z) >= 3 and abs(observed - expected) >= {{ smallest_watched_share() }} * usual_spend_usd
        {{ "union" if not loop.last }}
{% endfor %}
