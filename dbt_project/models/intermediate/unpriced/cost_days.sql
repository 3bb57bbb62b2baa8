-- The input of `cost_daily` for each date: that of the other daily marts, and the rates
-- of its unpriced models.
with
    days as (select * from {{ ref("complete_days") }}),

    {{ rates_by_date(ref("int_model_usage_daily"), "rates_fingerprint") }}

select
    days.event_date,
    md5(concat_ws('|', days.input_fingerprint, coalesce(rates.rates_fingerprint, ''))) as input_fingerprint
from days
left join rates on days.event_date = rates.event_date
