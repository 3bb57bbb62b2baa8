{{ kept_by_date("alert_open_days") }}
-- A day that is not complete, judged by what had occurred by the end of each hour. It
-- begins when some hours are over, which say something.
{%- set dates = dirty_dates() %}
{%- set key = "environment, data_mode, scope_dimension, scope_value, event_date, hour_of_day" %}
{%- set masked = ref("int_masked_days") %}
with
    judgements as (
        select
            'cost_drift' as alert_type,
            'cost' as measure,
            {{ key }},
            usual_spend_usd,
            observed,
            expected,
            z,
            is_seasonal
        from ({{ judged_drift_by_hour(dates, masked) }})
        union all
        {% for measure in ["cost", "calls"] -%}
            select
                'cost_per_request_drift',
                '{{ measure }} per request',
                {{ key }},
                usual_spend_usd,
                observed,
                expected,
                z,
                true
            from
                (
                    {{ judged_intensity(dates, measure, masked, is_second_pass=true, by_hour=true) }}
                ) {{ "union all" if not loop.last }}
        {% endfor %}
    )

select *
from judgements
where
    hour_of_day + 1 >= {{ alert_parameter("first_judged_hour") }}
    and z >= {{ alert_parameter("smallest_z") }}
    and observed - expected >= {{ alert_parameter("smallest_watched_share") }} / 2 * usual_spend_usd
