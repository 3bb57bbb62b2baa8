-- The input of the watched series of a date: its attempts, and the likely cost of its
-- unpriced models.
with
    days as (select * from {{ ref("attempt_days") }}),

    exposed as (
        select distinct event_date, environment, data_mode, provider, model
        from {{ ref("int_usage_daily") }}
        where unpriced_attempts > 0
    ),

    rates as (
        select
            exposed.event_date,
            md5(
                string_agg(
                    concat_ws('|', environment, data_mode, provider, model, exposure.exposure_usd_per_token),
                    ','
                    order by environment, data_mode, provider, model
                )
            ) as rate_fingerprint
        from exposed
        left join {{ ref("int_exposure") }} as exposure using (environment, data_mode, provider, model)
        group by exposed.event_date
    )

select
    days.event_date,
    md5(concat_ws('|', days.input_fingerprint, coalesce(rates.rate_fingerprint, ''))) as input_fingerprint
from days
left join rates on days.event_date = rates.event_date
