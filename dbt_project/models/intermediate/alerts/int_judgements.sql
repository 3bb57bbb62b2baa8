{{ kept_by_date("alert_signal_days") }}
-- Everything that might become a signal, before any rule: rules select from it, so that
-- changing them does not repeat any judgement. A day that is not complete is judged by
-- hour (int_hourly_judgements), but for what is new on it.
{%- set judged_dates = dirty_dates() %}
{%- set dates = complete_dates(judged_dates) %}
{%- set key = "environment, data_mode, scope_dimension, scope_value, event_date" %}
{%- set masked = ref("int_masked_days") %}
with
    judgements as (
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
            from ({{ judged_drift(dates, measure, masked, is_second_pass=true) }})
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
            from ({{ judged_intensity(dates, measure, masked, is_second_pass=true) }})
            union all
        {% endfor %}
        select 'cost_per_request_drift', 'price', {{ key }}, usual_spend_usd, observed, expected, z, true
        from {{ ref("int_changed_prices") }}
        where {{ in_dates("event_date", dates) }}
        union all
        select alert_type, 'cost', {{ key }}, usual_spend_usd, observed, expected, z, false
        from {{ ref("int_newcomers") }}
        where {{ in_dates("event_date", judged_dates) }}
    )

select *
from judgements
where
    abs(z) >= {{ alert_parameter("smallest_z") }}
    and abs(observed - expected) >= {{ alert_parameter("smallest_watched_share") }} / 2 * usual_spend_usd
