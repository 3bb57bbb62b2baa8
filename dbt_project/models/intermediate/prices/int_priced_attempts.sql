{{ config(materialized="view") }}
-- What an attempt costs is its token kinds times their prices, and nothing else.
with
    priced as ({{ priced(ref("int_attempts"), ref("int_price_book")) }}),

    judged as (
        select
            *,
            -- unpriced: something used has no price; no_usage: a count that has a price
            -- is not known
            case
                when cost_usd is not null
                then 'priced'
                when usage_source = 'missing'
                then 'no_usage'
                {%- for kind in token_kinds() if kind.is_what_is_left %}
                    when {{ kind.quantity }} is null and {{ kind.name }}_price_usd is not null then 'no_usage'
                {%- endfor %}
                else 'unpriced'
            end as pricing_status,
            -- the name, the variant or the usage does not determine the price
            -- completely
            (
                cost_usd is not null
                and (
                    price_approximate_reason is not null
                    or missing_variant is not null
                    or usage_source = 'provider_partial'
                )
            ) as is_approximate
        from priced
    )

select
    * exclude (cache_savings_usd, cache_write_premium_usd),
    -- of what has no known cost, nothing is known to be saved
    case when pricing_status = 'priced' then cache_savings_usd end as cache_savings_usd,
    case when pricing_status = 'priced' then cache_write_premium_usd end as cache_write_premium_usd,
    case
        when is_approximate
        then
            concat_ws(
                ', ',
                price_approximate_reason,
                case when missing_variant is not null then 'missing_variant' end,
                case when usage_source = 'provider_partial' then 'partial_usage' end
            )
    end as approximate_reason
from judged
