-- The input of the watched series of a date: its attempts, and the likely cost of its
-- unpriced models.
with
    days as (select * from {{ ref("attempt_days") }}),

    {{ rates_by_date(ref("int_usage_daily"), "likely_rates_fingerprint") }}

select
    days.event_date,
    md5(concat_ws('|', days.input_fingerprint, coalesce(rates.rates_fingerprint, ''))) as input_fingerprint
from days
left join rates on days.event_date = rates.event_date
