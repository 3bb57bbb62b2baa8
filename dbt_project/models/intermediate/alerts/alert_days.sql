-- The input of a day's judgement: the watched series of the day and of its past. Only
-- complete days are judged, and days without events between them are days too.
with
    inputs as (
        select *
        from {{ ref("costed_usage_days") }}
        where event_date + interval 1 day + interval {{ lateness_hours() }} hours <= {{ as_of() }}
    ),

    calendar as (
        select cast(unnest(generate_series(min(event_date), max(event_date), interval 1 day)) as date) as event_date
        from inputs
    )

select
    calendar.event_date,
    md5(
        string_agg(concat_ws(' ', inputs.event_date, inputs.input_fingerprint), ',' order by inputs.event_date)
    ) as input_fingerprint
from calendar
inner join
    inputs
    on inputs.event_date between calendar.event_date - {{ alert_parameter("history_days") }} and calendar.event_date
group by calendar.event_date
