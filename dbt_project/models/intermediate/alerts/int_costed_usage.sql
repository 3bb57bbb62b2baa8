{{ config(materialized="view") }}
-- What detection watches: the cost that is known and, as its own visible part, what unpriced calls likely cost, so
-- that an unknown model cannot hide a spike.
with usage as (select * from {{ ref("int_usage_daily") }}), exposure as (select * from {{ ref("int_exposure") }})

select
    usage.*,
    cast(
        usage.unpriced_tokens * coalesce(exposure.exposure_likely_usd_per_token, 0) as decimal(38, 12)
    ) as exposure_usd,
    usage.cost_usd + cast(
        usage.unpriced_tokens * coalesce(exposure.exposure_likely_usd_per_token, 0) as decimal(38, 12)
    ) as watched_usd,
    usage.cost_usd_squares
    + usage.unpriced_token_squares
    * power(coalesce(exposure.exposure_likely_usd_per_token, 0), 2) as watched_usd_squares
from usage
left join exposure using (environment, data_mode, provider, model)
