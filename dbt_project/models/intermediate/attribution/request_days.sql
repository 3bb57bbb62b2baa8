-- The input of `fct_requests`: the attempts of the date and of the dates to which
-- retries of its requests ran past midnight.
with
    days as (select * from {{ ref("attempt_days") }}),

    repeats as (select * from {{ ref("int_repeated_deliveries") }}),

    read_dates as (
        select event_date, event_date as read_date
        from days
        union
        select request_date, attempt_date
        from repeats
        where is_attempt and request_date <> attempt_date
        union
        select attempt_date, request_date
        from repeats
        where is_attempt and request_date <> attempt_date
    )

select read_dates.event_date, md5(string_agg(days.input_fingerprint, ',' order by days.event_date)) as input_fingerprint
from read_dates
inner join days on read_dates.read_date = days.event_date
group by read_dates.event_date
