{{ kept_by_date("reconciled_months") }}
-- Each cell with the buckets that explain its difference, in their order, to the last
-- digit: every bucket is a difference of decimals.
{%- set zero = "cast(0 as decimal(38, 12))" %}
with
    valued as (select * from {{ ref("int_valued_cells") }} where {{ in_dates("event_date", dirty_dates()) }}),

    -- what quantities explain, at our price: failed calls first, then estimates, and
    -- what is left is not captured or not billed
    volumes as (
        select
            *,
            case
                basis
                when 'valued'
                then billed_value_usd - captured_value_usd
                when 'nothing billed'
                then - clocked_usd
                when 'nothing captured'
                then bill_usd
                when 'no price'
                then unpriced_volume_usd
                else {{ zero }}
            end as volume_usd
        from valued
    ),

    failures as (
        select
            *,
            case
                when basis not in ('valued', 'nothing billed')
                then {{ zero }}
                when failed_calls = 'not_billed'
                then - failed_usd
                when basis = 'nothing billed'
                then {{ zero }}
                when failed_calls = 'billed'
                then failed_value_usd
                else least(failed_value_usd, greatest(volume_usd, 0))
            end as failures_usd
        from volumes
    ),

    estimates as (
        select
            *, greatest(least(volume_usd - failures_usd, estimated_value_usd), - estimated_value_usd) as estimates_usd
        from failures
    ),

    split as (
        select
            *,
            compared_usd - ours_usd as difference_usd,
            clocked_usd + request_clocked_usd - ours_usd as timing_usd,
            volume_usd - failures_usd - estimates_usd as left_usd
        from estimates
    )

select
    event_date,
    cell_key,
    vendor,
    account,
    billing_month,
    cell_date,
    model,
    leaf,
    tier,
    basis,
    failed_calls,
    currency,
    lines,
    usage_lines + request_lines as usage_lines,
    provisional_lines,
    lines_without_rate,
    quantity as captured_quantity,
    case when usage_lines > 0 or request_lines = 0 then billed_quantity end as billed_quantity,
    price_usd,
    ours_usd,
    clocked_usd + request_clocked_usd as clocked_usd,
    billed_usd,
    compared_usd,
    cast(usage_usd + request_usd as decimal(38, 12)) as billed_usage_usd,
    -- what the calls of ours cost on the bill: not what nobody captured
    greatest(usage_usd - prepaid_usd - greatest(left_usd, 0), 0) as spread_usd,
    difference_usd,
    tax_usd,
    fee_usd - prepaid_usd as fee_usd,
    credit_usd,
    discount_usd + list_discount_usd as discount_usd,
    prior_period_usd,
    currency_usd,
    timing_usd,
    billed_twice_usd,
    case
        basis
        when 'valued'
        then captured_value_usd - priced_value_usd
        when 'no price'
        then bill_usd - volume_usd - clocked_usd
        else {{ zero }}
    end
    + request_unpriced_usd as unpriced_usd,
    failures_usd + request_failed_usd as failed_usd,
    estimates_usd + request_estimated_usd as estimated_usd,
    greatest(left_usd, 0) + request_uncaptured_usd as uncaptured_usd,
    least(left_usd, 0) + request_unbilled_usd as unbilled_usd,
    -- with several prices in a cell, what their mix differs from the most used one
    case when basis = 'valued' then bill_usd - billed_value_usd + priced_value_usd - value_usd else {{ zero }} end
    + request_rate_usd as rate_usd,
    case when basis = 'valued' then value_usd - clocked_usd else {{ zero }} end + rounding_usd as rounding_usd,
    case when basis = 'no quantity' then bill_usd - clocked_usd else {{ zero }} end as unexplained_usd
from split
