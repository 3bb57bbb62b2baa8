{{ config(materialized="view") }}
-- Calls at a batch price or at the price of long inputs, each priced a second time by
-- the rules of every price: in real time, and as if its input were short.
{%- set call = ["event_date", "source", "environment", "data_mode", "attempt_key"] %}
{%- set usage = ["occurred_at", "tenant_id", "input_tokens", "other_usage"] + (
    token_kinds() | map(attribute="quantity") | list
) %}
{%- set key = price_key_columns().split(", ") %}
with
    of_batch as (
        select
            {{ (call + usage) | join(", ") }},
            {{ key | reject("equalto", "processing") | join(", ") }},
            cast(null as string) as processing,
            cost_usd as paid_usd
        from {{ ref("fct_attempts") }}
        where pricing_status = 'priced' and processing = 'batch'
    ),

    in_real_time as ({{ priced("of_batch", ref("int_price_book")) }}),

    of_long_inputs as (
        select {{ (call + usage + key) | join(", ") }}, cost_usd as paid_usd
        from {{ ref("fct_attempts") }}
        where pricing_status = 'priced' and price_tier_from_tokens > 0
    ),

    short_prices as (
        select * replace (cast(9223372036854775807 as bigint) as input_tokens_to)
        from {{ ref("int_price_book") }}
        where input_tokens_from = 0
    ),

    as_short_inputs as ({{ priced("of_long_inputs", "short_prices") }}),

    compared as (
        select
            {{ call | join(", ") }},
            cast(cost_usd - paid_usd as decimal(38, 12)) as batch_savings_usd,
            cast(null as decimal(38, 12)) as long_input_premium_usd
        from in_real_time
        union all
        select {{ call | join(", ") }}, null, cast(paid_usd - cost_usd as decimal(38, 12))
        from as_short_inputs
    )

select
    {{ call | join(", ") }},
    max(batch_savings_usd) as batch_savings_usd,
    max(long_input_premium_usd) as long_input_premium_usd
from compared
group by {{ call | join(", ") }}
