-- The input of a day's final judgement: its own past, and what stood out in that past,
-- which has a past of its own.
select judged.event_date, md5(string_agg(past.input_fingerprint, ',' order by past.event_date)) as input_fingerprint
from {{ ref("alert_days") }} as judged
inner join
    {{ ref("alert_days") }} as past
    on past.event_date
    between judged.event_date
    - {{ alert_parameter("history_days") + alert_parameter("level_shift_days") }} and judged.event_date
group by judged.event_date
union all
-- a day that is not over is judged so far
select event_date, input_fingerprint
from {{ ref("alert_open_days") }}
