{{ config(materialized="view") }}
-- How long calls of each source usually take to arrive. A file arrives after its last
-- call and on its arrival day, so its first one has waited at least until then: the
-- largest file of each arrival day, the median of the days. On top comes the lateness
-- that a day is allowed.
with
    parts as (
        select
            source,
            content_hash,
            event_date,
            max(rows_loaded) as rows_loaded,
            min(first_occurred_at) as first_occurred_at,
            max(last_occurred_at) as last_occurred_at
        from {{ ref("stg_loads") }}
        where event_date is not null and rows_loaded > 0
        group by source, content_hash, event_date
    ),

    sized as (select *, max(rows_loaded) over (partition by source, content_hash) as most_rows_loaded from parts),

    files as (
        select
            sized.source,
            sized.content_hash,
            arrivals.arrival_date,
            sum(sized.rows_loaded) as rows_loaded,
            -- a few calls of another date, such as repeated deliveries, say nothing
            -- about the file
            {{
                dbt.datediff(
                    "min(case when sized.rows_loaded >= 0.1 * most_rows_loaded then sized.first_occurred_at end)",
                    "greatest(max(sized.last_occurred_at), cast(arrivals.arrival_date as timestamp))",
                    "minute",
                )
            }} / 60.0 as waited_hours
        from sized
        inner join
            {{ ref("int_arrivals") }} as arrivals
            on sized.source = arrivals.source
            and sized.content_hash = arrivals.content_hash
        group by sized.source, sized.content_hash, arrivals.arrival_date
    ),

    arrival_days as (
        select *, max(arrival_date) over (partition by source) as last_arrival_date
        from files
        qualify row_number() over (partition by source, arrival_date order by rows_loaded desc, content_hash) = 1
    )

select
    source,
    max(arrival_date) as last_arrival_date,
    cast(
        case
            when count(*) >= {{ silence_parameter("arrivals") }}
            then ceil(percentile_cont(0.5) within group (order by waited_hours nulls last))
            else 24
        end as integer
    )
    + {{ lateness_hours() }} as expected_delay_hours
from arrival_days
where arrival_date > last_arrival_date - {{ 7 * silence_parameter("usual_weeks") }}
group by source
