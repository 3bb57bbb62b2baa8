-- The input of the judgement of a day that is not complete: what the days before it are
-- judged from, its calls so far, those of an earlier day that is not complete either,
-- and how many of its hours count.
with
    hours as (
        select
            event_date,
            string_agg(
                concat_ws(' ', environment, data_mode, through_hour), ',' order by environment, data_mode
            ) as hours
        from {{ ref("int_open_hours") }}
        where through_hour >= 0
        group by event_date
    ),

    past as (
        select hours.event_date, string_agg(days.input_fingerprint, ',' order by days.event_date) as input_fingerprints
        from hours
        left join
            {{ ref("alert_days") }} as days
            on days.event_date
            between hours.event_date
            - {{ alert_parameter("history_days") + alert_parameter("level_shift_days") }} and hours.event_date
            - 1
        group by hours.event_date
    ),

    incomplete as (
        select hours.event_date, string_agg(days.input_fingerprint, ',' order by days.event_date) as input_fingerprints
        from hours
        inner join {{ ref("costed_usage_days") }} as days on days.event_date <= hours.event_date
        left join {{ ref("alert_days") }} as complete on days.event_date = complete.event_date
        where complete.event_date is null
        group by hours.event_date
    )

select
    hours.event_date,
    md5(concat_ws('|', past.input_fingerprints, incomplete.input_fingerprints, hours.hours)) as input_fingerprint
from hours
inner join past on hours.event_date = past.event_date
inner join incomplete on hours.event_date = incomplete.event_date
