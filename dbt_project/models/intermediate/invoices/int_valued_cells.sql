{{ config(materialized="view") }}
-- Each cell with what its quantities are worth at our price, and on what its split
-- rests. Where neither the bill nor the vendor's usage report says a quantity nothing
-- is guessed.
{#- An estimate of tokens is taken to be wrong by at most this share of it. -#}
{%- set estimate_bound = "0.5" %}
{%- set zero = "cast(0 as decimal(38, 12))" %}
{%- set values = {
    "billed_value_usd": "billed_quantity",
    "captured_value_usd": "quantity",
    "priced_value_usd": "priced_quantity",
    "failed_value_usd": "failed_tokens",
    "estimated_value_usd": "cast(estimated_quantity as decimal(20, 6)) * " ~ estimate_bound,
} %}
{#- Quantities as whole numbers of at most 18 digits: to the sixth place, or whole from 10^12 on. -#}
{%- set places = "case when billed_quantity < 1000000000000 then 1000000 else 1 end" %}
with
    cells as (select * from {{ ref("int_compared_cells") }} where is_covered),

    rules as (select * from {{ ref("stg_vendor_billing_rules") }}),

    measured as (
        select
            *,
            greatest(quantity, priced_quantity, estimated_quantity, failed_tokens, billed_quantity) as largest_quantity
        from cells
    ),

    -- where our book has list prices the bill is taken at list prices too, and the
    -- rest of it is a discount
    bills as (
        select
            cells.* exclude (largest_quantity),
            coalesce(own.failed_calls, anyone.failed_calls, 'unknown') as failed_calls,
            case
                when cells.has_list_amounts and cells.is_list_price then cells.off_list_usd else {{ zero }}
            end as list_discount_usd,
            -- no product leaves its type: what would be worth more is not explained
            coalesce(
                (cells.largest_quantity < 10000000000000 and cells.price_usd < 1)
                or (cells.largest_quantity < 100000000 and cells.price_usd is not null),
                false
            ) as is_valued
        from measured as cells
        left join rules as own on cells.vendor = own.vendor
        left join rules as anyone on anyone.vendor = '*'
    ),

    judged as (
        select
            *,
            usage_usd - list_discount_usd as bill_usd,
            case
                when usage_lines = 0
                then 'nothing billed'
                when billed_quantity is not null and is_valued
                then 'valued'
                when quantity = 0 and clocked_usd = 0 and usage_usd >= 0
                then 'nothing captured'
                when billed_quantity is not null and quantity > priced_quantity and price_usd is null
                then 'no price'
                else 'no quantity'
            end as basis
        from bills
    )

select
    *,
    {% for name, quantity in values.items() %}
        case when is_valued then {{ usd_of(quantity, "price_usd") }} else {{ zero }} end as {{ name }},
    {% endfor %}
    case
        when basis = 'no price' and billed_quantity > quantity
        then
            {{
                from_last_digits(
                    part_of(
                        in_last_digits("usage_usd - list_discount_usd"),
                        "cast(trunc((billed_quantity - quantity) * " ~ places ~ ") as hugeint)",
                        "cast(trunc(billed_quantity * " ~ places ~ ") as hugeint)",
                    )
                )
            }}
        else {{ zero }}
    end as unpriced_volume_usd
from judged
