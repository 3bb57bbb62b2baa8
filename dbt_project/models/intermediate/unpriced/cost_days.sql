-- The input of `cost_daily` for each date: its attempts, the rates of its unpriced
-- models, and whether the date is complete.
with
    days as (
        select *, {{ as_of() }} >= {{ dbt.dateadd("hour", 24 + lateness_hours(), "event_date") }} as is_complete
        from {{ ref("attempt_days") }}
    ),

    unpriced as (
        select distinct event_date, environment, data_mode, provider, model
        from {{ ref("int_model_usage_daily") }}
        where unpriced_attempts > 0
    ),

    rates as (
        select
            unpriced.event_date,
            md5(
                string_agg(
                    concat_ws('|', environment, data_mode, provider, model, exposure.rates_fingerprint),
                    ','
                    order by environment, data_mode, provider, model
                )
            ) as rates_fingerprint
        from unpriced
        left join {{ ref("int_exposure") }} as exposure using (environment, data_mode, provider, model)
        group by unpriced.event_date
    )

select
    days.event_date,
    days.is_complete,
    md5(
        concat_ws('|', days.input_fingerprint, coalesce(rates.rates_fingerprint, ''), days.is_complete)
    ) as input_fingerprint
from days
left join rates on days.event_date = rates.event_date
