-- The input of a week's comparison: its days and those of the week before.
select
    weeks.week_start as event_date,
    md5(
        string_agg(concat_ws(' ', days.event_date, days.input_fingerprint), ',' order by days.event_date)
    ) as input_fingerprint
from {{ ref("int_weeks") }} as weeks
inner join
    {{ ref("costed_usage_days") }} as days
    on days.event_date >= weeks.week_start - 7
    and days.event_date < weeks.week_end
group by weeks.week_start
