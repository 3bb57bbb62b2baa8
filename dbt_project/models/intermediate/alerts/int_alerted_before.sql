{{ kept_by_date("alert_days") }}
-- A first judgement that includes every day that was not planned: what stands out here,
-- up or down, is left out of the past in the second.
{%- set dates = dirty_dates() %}
{%- set planned = ref("int_planned_days") %}
{%- set key = "environment, data_mode, scope_dimension, scope_value, event_date" %}
{% for judged in [
    judged_drift(dates, "cost", planned),
    judged_drift(dates, "requests", planned),
    judged_intensity(dates, "cost", planned),
    judged_intensity(dates, "typical cost", planned),
    judged_intensity(dates, "calls", planned),
] %}
    select {{ key }}
    from ({{ judged }})
    where
        abs(z) >= {{ alert_parameter("first_pass_z") }}
        and abs(observed - expected) >= {{ alert_parameter("smallest_watched_share") }} * usual_spend_usd
        {{ "union" if not loop.last }}
{% endfor %}
