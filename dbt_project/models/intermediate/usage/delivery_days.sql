-- What `int_repeated_deliveries` reads for a date: the deliveries of the date and of
-- its neighbours, and how many days identity reads.
with days as (select * from {{ ref("event_days") }})

select
    day.event_date,
    md5(
        string_agg(near.content_fingerprint, ',' order by near.event_date) || {{ text(identity_window_days()) }}
    ) as input_fingerprint
from days as day
inner join
    days as near
    on near.event_date
    between day.event_date - {{ identity_reach().back }} and day.event_date + {{ identity_reach().ahead }}
group by day.event_date
