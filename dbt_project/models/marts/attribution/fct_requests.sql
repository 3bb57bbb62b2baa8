{{
    config(
        materialized="incremental",
        incremental_strategy="append",
        pre_hook="{{ forget_dirty_dates(ref('request_days')) }}",
        post_hook="{{ remember_built_dates(ref('request_days')) }}",
    )
}}
-- depends_on: {{ ref("request_days") }}
{%- set dirty = dirty_dates(ref("request_days")) %}
{%- set last_known = ["endpoint_tag", "prompt_version", "feature_tag", "tenant_id", "user_id", "provider", "model"] %}
with
    attempts as (
        select *
        from {{ ref("fct_attempts") }}
        where
            {{ in_dates("request_date", dirty) }}
            and {{ in_dates("event_date", with_neighbours(dirty, 0, identity_window_days())) }}
    ),

    requests as (
        select
            -- keys
            request_id,
            source,
            -- dimensions, as the last try had them
            environment,
            data_mode,
            {%- for column in last_known %}
                max(case when is_last_try then {{ column }} end) as {{ column }},
            {%- endfor %}
            max(case when is_last_try then status end) as final_status,
            -- quantities
            count(*) as attempts,
            cast(sum(input_tokens) as bigint) as input_tokens,
            cast(sum(output_tokens) as bigint) as output_tokens,
            cast(sum(cost_usd) as decimal(38, 12)) as cost_usd,
            cast(sum(case when is_last_try then null else cost_usd end) as decimal(38, 12)) as retry_cost_usd,
            cast(sum(reported_cost_usd) as decimal(38, 12)) as reported_cost_usd,
            cast(sum(case when pricing_status = 'unpriced' then 1 else 0 end) as bigint) as unpriced_attempts,
            cast(sum(case when pricing_status = 'no_usage' then 1 else 0 end) as bigint) as no_usage_attempts,
            sum(latency_ms) as latency_ms,
            -- times
            request_date as event_date,
            min(occurred_at) as first_occurred_at,
            max(occurred_at) as last_occurred_at,
            max(load_id) as load_id
        from attempts
        group by request_id, source, environment, data_mode, request_date
    )

select *
from requests
