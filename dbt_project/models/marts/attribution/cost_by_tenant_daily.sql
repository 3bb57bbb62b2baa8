{{
    config(
        materialized="incremental",
        incremental_strategy="append",
        pre_hook="{{ forget_dirty_dates(ref('attempt_days')) }}",
        post_hook="{{ remember_built_dates(ref('attempt_days')) }}",
    )
}}
-- depends_on: {{ ref("attempt_days") }}
{{ daily_cost_by(["tenant_id"]) }}
