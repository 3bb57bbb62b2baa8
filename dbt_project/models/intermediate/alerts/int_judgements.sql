{{ kept_by_date("alert_signal_days") }}
-- Everything that might be said, before any rule: the rules choose, and changing them judges nothing anew.
{%- set dirty = dirty_dates() %}
{%- set key = "environment, data_mode, scope_dimension, scope_value, event_date" %}
{%- set masked = ref("int_masked_days") %}
with
    said as (
        {% for measure in ["cost", "requests"] -%}
            select
                'cost_drift' as alert_type,
                '{{ measure }}' as measure,
                {{ key }},
                usual_spend_usd,
                observed,
                expected,
                z,
                is_seasonal
            from ({{ judged_drift(dirty, measure, masked, 0.995, 2.576) }})
            union all
        {% endfor %}
        {% for measure in ["cost", "typical cost", "calls"] -%}
            select
                'cost_per_request_drift',
                '{{ measure }} per request',
                {{ key }},
                usual_spend_usd,
                observed,
                expected,
                z,
                true
            from ({{ judged_intensity(dirty, measure, masked, 0.995, 2.576) }})
            union all
        {% endfor %}
        select alert_type, 'cost', {{ key }}, usual_spend_usd, observed, expected, z, false
        from ({{ judged_newcomers(dirty) }})
    )

select *
from said
where abs(z) >= {{ smallest_z() }} and abs(observed - expected) >= {{ smallest_watched_share() }} / 2 * usual_spend_usd
