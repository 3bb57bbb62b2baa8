{{ config(materialized="view") }}
-- Everything that counts against a budget: usage, and what a person added or took off.
with
    usage as (select * from {{ ref("int_budget_usage") }}),

    budgets as (select distinct budget_id, time_zone from {{ ref("int_budgets") }}),

    adjustments as (
        select
            adjustments.budget_id,
            {{ quarter_hour(utc_time("adjustments.effective_at", "budgets.time_zone")) }} as quarter_at,
            adjustments.amount_usd
        from {{ ref("stg_budget_adjustments") }} as adjustments
        inner join budgets on adjustments.budget_id = budgets.budget_id
    ),

    spending as (
        select
            budget_id,
            quarter_at,
            attempts,
            usage_checksum,
            cost_usd,
            cast(0 as decimal(38, 12)) as adjusted_usd,
            cast(0 as decimal(38, 12)) as refunded_usd,
            estimated_cost_usd,
            unpriced_attempts,
            unvalued_attempts,
            exposure_usd
        from usage
        union all
        select budget_id, quarter_at, 0, 0, amount_usd, amount_usd, least(amount_usd, 0), 0, 0, 0, 0
        from adjustments
    )

select
    budget_id,
    quarter_at,
    cast(sum(attempts) as bigint) as attempts,
    cast(sum(usage_checksum) as decimal(38, 0)) as usage_checksum,
    cast(sum(cost_usd) as decimal(38, 12)) as cost_usd,
    cast(sum(adjusted_usd) as decimal(38, 12)) as adjusted_usd,
    cast(sum(refunded_usd) as decimal(38, 12)) as refunded_usd,
    cast(sum(estimated_cost_usd) as decimal(38, 12)) as estimated_cost_usd,
    cast(sum(unpriced_attempts) as bigint) as unpriced_attempts,
    cast(sum(unvalued_attempts) as bigint) as unvalued_attempts,
    cast(sum(exposure_usd) as decimal(38, 12)) as exposure_usd
from spending
group by budget_id, quarter_at
