-- One row per model, and variant it asked for, of real attempts of the recent days that were priced at the standard
-- rate
-- because no price in force looks at that variant.
with
    days as (
        select event_date from marts.data_quality_daily where data_mode = 'real' and event_date <= cast($as_of as date)
    ),

    recent as (
        select *
        from marts.fct_attempts
        where
            event_date > (select max(event_date) from days) - cast($window_days as integer)
            and event_date <= (select max(event_date) from days)
            and data_mode = 'real'
            and pricing_status = 'priced'
    )

select
    provider,
    model,
    missing_variant,
    count(*) as attempts,
    sum(cost_usd) as cost_usd,
    min(event_date) as first_date,
    max(event_date) as last_date
from recent
where missing_variant is not null
group by provider, model, missing_variant
order by attempts desc, provider, model, missing_variant
