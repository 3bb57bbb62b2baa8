{{ config(materialized="table") }}
-- What stood out under the current rules.
{%- set key = "alert_type, measure, environment, data_mode, scope_dimension, scope_value, event_date" %}
with
    judgements as (
        select
            {{ key }},
            usual_spend_usd,
            observed,
            expected,
            z,
            is_seasonal,
            cast(null as integer) as first_hour,
            cast(null as integer) as last_hour,
            event_date in (select event_date from {{ ref("alert_open_days") }}) as is_open
        from {{ ref("int_judgements") }}
        union all
        select
            'burst_falling_success',
            'attempts',
            environment,
            data_mode,
            scope_dimension,
            scope_value,
            event_date,
            usual_spend_usd,
            observed,
            expected,
            z,
            true,
            first_hour,
            last_hour,
            event_date in (select event_date from {{ ref("alert_open_days") }})
        from {{ ref("int_bursts") }}
        union all
        -- has passed the rules already
        select {{ key }}, usual_spend_usd, observed, expected, z, is_seasonal, null, null, false
        from {{ ref("int_hourly_signals") }}
    )

select * exclude (is_open)
from ({{ judged_by_rules("judgements") }})
