{{ kept_by_date("reconciled_months") }}
-- Our side of each cell, by our days and by the vendor's: tokens, what they cost, and
-- the price of most of them. What no bill reaches yet is one row for each day.
with
    names as (select * from {{ ref("int_reconciled_names") }}),

    requests as (select distinct vendor, account, billing_month from {{ ref("int_billed_lines") }} where is_by_request),

    by_kind as (select * from {{ ref("int_captured_kinds") }}),

    placed as (
        select
            by_kind.*,
            coalesce(by_kind.day <= names.covered_through, false) as is_covered,
            case when names.is_daily or names.is_daily is null then by_kind.day end as named_date,
            names.cell_model,
            names.cell_leaf,
            names.cell_tier
        from by_kind
        left join names on {{ is_named("by_kind") }} and by_kind.leaf = names.leaf
        left join
            requests
            on by_kind.vendor = requests.vendor
            and by_kind.account = requests.account
            and by_kind.billing_month = requests.billing_month
        where
            requests.vendor is null
            and (by_kind.leaf <> 'requests' or by_kind.cost_usd <> 0 or coalesce(names.is_billed_kind, false))
    ),

    by_price as (
        select
            vendor,
            account,
            billing_month,
            is_covered,
            case when is_covered then named_date else day end as cell_date,
            case when is_covered then cell_model end as model,
            case when is_covered then cell_leaf end as leaf,
            case when is_covered then cell_tier end as tier,
            price_row_key,
            price_usd,
            is_list_price,
            sum(case when is_ours then cost_usd else 0 end) as ours_usd,
            sum(case when is_clocked then cost_usd else 0 end) as clocked_usd,
            {% for name, holds in {
                "quantity": "true",
                "priced_quantity": "pricing_status = 'priced'",
                "estimated_quantity": "usage_kind = 'estimated'",
            }.items() %}
                sum(case when is_clocked and {{ holds }} then quantity else 0 end) as {{ name }},
            {% endfor %}
            sum(case when is_clocked and usage_kind = 'failed' then cost_usd else 0 end) as failed_usd,
            sum(case when is_clocked then failed_tokens else 0 end) as failed_tokens
        from placed
        group by all
    ),

    valued as (
        select
            *,
            {{ cell_key() }} as cell_key,
            case
                when price_usd is null or priced_quantity = 0
                then 0
                when priced_quantity < 10000000000000 and price_usd < 1
                then {{ usd_of("priced_quantity", "price_usd") }}
                else clocked_usd
            end as value_usd,
            row_number() over (
                partition by vendor, account, billing_month, cell_date, model, leaf, tier
                order by
                    case when price_usd is null then 1 else 0 end,
                    quantity + failed_tokens desc,
                    coalesce(price_row_key, '')
            ) as place
        from by_price
    )

select
    billing_month as event_date,
    cell_key,
    vendor,
    account,
    billing_month,
    cell_date,
    model,
    leaf,
    tier,
    is_covered,
    cast(sum(ours_usd) as decimal(38, 12)) as ours_usd,
    cast(sum(clocked_usd) as decimal(38, 12)) as clocked_usd,
    cast(sum(failed_usd) as decimal(38, 12)) as failed_usd,
    cast(sum(value_usd) as decimal(38, 12)) as value_usd,
    {% for name in ["quantity", "priced_quantity", "estimated_quantity", "failed_tokens"] %}
        cast(sum({{ name }}) as decimal(38, 6)) as {{ name }},
    {% endfor %}
    max(case when place = 1 then price_usd end) as price_usd,
    coalesce(bool_or(place = 1 and is_list_price), false) as is_list_price
from valued
group by all
