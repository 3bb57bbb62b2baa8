-- What arrived for each event date, from the manifests alone: nothing here reads an event.
with
    loads as (select * from {{ ref("stg_loads") }} where event_date is not null),

    contents as (
        select
            event_date,
            source,
            content_hash,
            min(arrival_date) as arrival_date,
            max(rows_loaded) as rows_loaded,
            max(last_occurred_at) as last_occurred_at
        from loads
        group by event_date, source, content_hash
    )

select
    event_date,
    md5(string_agg(source || content_hash, ',' order by source, content_hash)) as content_fingerprint,
    cast(sum(rows_loaded) as bigint) as deliveries,
    max(last_occurred_at) as last_occurred_at
from contents
group by event_date
