{{ config(meta={"dagster": {"ref": {"name": "fct_attempts"}}}) }}
-- Fails if an attempt without a known price or without known usage has a cost, or a
-- priced one has none: then unknown became a number.
select attempt_key, pricing_status, usage_source, cost_usd
from {{ to_verify("fct_attempts") }} as fact
where
    (pricing_status = 'priced') <> (cost_usd is not null)
    or (usage_source = 'missing' and cost_usd is not null)
    or price_row_key is null
    or (
        cost_usd is not null
        and price_row_key in (select price_row_key from {{ ref("int_price_book") }} where resolution = 'unknown')
    )
