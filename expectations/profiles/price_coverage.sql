-- One row per model, and what makes its cost approximate, of real attempts of the
-- recent days that were priced.
with
    days as (
        select event_date
        from marts.data_quality_daily
        where data_mode = 'real' and attempts > 0 and event_date <= cast($as_of as date)
    ),

    recent as (
        select *
        from marts.fct_attempts
        where
            event_date > (select max(event_date) from days) - cast($window_days as integer)
            and event_date <= (select max(event_date) from days)
            and data_mode = 'real'
            and is_approximate
    ),

    said as (
        select
            *,
            concat_ws(
                ' and ',
                'asked for ' || missing_variant,
                case when contains(approximate_reason, 'moving_name') then 'is a name whose meaning changed' end,
                case when contains(approximate_reason, 'partial_usage') then 'reported more in total than in parts' end
            ) as why
        from recent
    )

select
    provider,
    model,
    why,
    count(*) as attempts,
    sum(cost_usd) as cost_usd,
    min(event_date) as first_date,
    max(event_date) as last_date
from said
group by provider, model, why
order by attempts desc, provider, model, why
