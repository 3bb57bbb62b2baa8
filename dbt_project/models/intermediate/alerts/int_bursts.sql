{{
    config(
        materialized="incremental",
        incremental_strategy="append",
        pre_hook="{{ forget_dirty_dates(ref('alert_signal_days')) }}",
        post_hook="{{ remember_built_dates(ref('alert_signal_days')) }}",
    )
}}
-- depends_on: {{ ref("alert_signal_days") }}
{{ judged_bursts(dirty_dates(ref("alert_signal_days"))) }}
