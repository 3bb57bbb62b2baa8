-- What arrived for each event date, from the manifests alone: nothing here reads an event.
with
    loads as (select * from {{ ref("stg_loads") }} where event_date is not null and source in {{ usage_sources() }}),

    arrivals as (select * from {{ ref("int_arrivals") }}),

    contents as (
        select
            event_date,
            source,
            content_hash,
            max(rows_loaded) as rows_loaded,
            max(last_occurred_at) as last_occurred_at,
            max(loaded_at) as loaded_at  -- a file that is judged again may have other rows of the same content
        from loads
        group by event_date, source, content_hash
    )

select
    event_date,
    md5(
        string_agg(
            concat_ws(' ', contents.source, contents.content_hash, arrival_date, landing_file, loaded_at),
            ','
            order by contents.source, contents.content_hash
        )
    ) as content_fingerprint,
    cast(sum(rows_loaded) as bigint) as deliveries,
    max(last_occurred_at) as last_occurred_at
from contents
left join arrivals on contents.source = arrivals.source and contents.content_hash = arrivals.content_hash
group by event_date
