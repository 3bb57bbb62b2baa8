-- What arrived for each event date, from the manifests and without what was set aside:
-- nothing here reads an event.
with
    loads as (select * from {{ ref("stg_loads") }} where event_date is not null and {{ is_usage() }}),

    arrivals as (select * from {{ ref("int_arrivals") }}),

    set_aside as (
        select
            event_date,
            source,
            content_hash,
            count(*) as lines,
            string_agg(
                cast(line_number as string) || case when item > 1 then '/' || item else '' end,
                ' '
                order by line_number, item nulls last
            ) as line_numbers
        from {{ ref("int_set_aside") }}
        group by event_date, source, content_hash
    ),

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
    contents.event_date,
    md5(
        string_agg(
            concat_ws(
                ' ',
                contents.source,
                contents.content_hash,
                arrivals.arrival_date,
                arrivals.landing_file,
                contents.loaded_at,
                'without lines ' || set_aside.line_numbers
            ),
            ','
            order by contents.source, contents.content_hash
        )
    ) as content_fingerprint,
    cast(sum(contents.rows_loaded - coalesce(set_aside.lines, 0)) as bigint) as deliveries,
    max(contents.last_occurred_at) as last_occurred_at
from contents
left join arrivals on contents.source = arrivals.source and contents.content_hash = arrivals.content_hash
left join
    set_aside
    on contents.event_date = set_aside.event_date
    and contents.source = set_aside.source
    and contents.content_hash = set_aside.content_hash
group by contents.event_date
