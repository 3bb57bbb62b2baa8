-- Event dates on which something was contained or closed, and the input of their
-- shares: the calls of the date, what was found on it, and the instants.
with
    moments as (
        select incident_id, started_at, contained_at as instant
        from {{ ref("int_incidents") }}
        where contained_at is not null
        union
        select incident_id, started_at, closed_at as instant
        from {{ ref("int_incidents") }}
        where closed_at is not null
    ),

    by_date as (
        select
            cast(instant as date) as event_date,
            md5(
                string_agg(
                    concat_ws(' ', incident_id, started_at, instant), ',' order by incident_id, started_at, instant
                )
            ) as moments
        from moments
        group by cast(instant as date)
    )

select
    by_date.event_date,
    md5(concat_ws('|', by_date.moments, days.input_fingerprint, judged.input_fingerprint)) as input_fingerprint
from by_date
inner join {{ ref("attempt_days") }} as days on by_date.event_date = days.event_date
inner join {{ ref("alert_signal_days") }} as judged on by_date.event_date = judged.event_date
