-- depends_on: {{ source("raw", "events") }}
-- depends_on: {{ source("raw", "incidents") }}
with
    source as (select * from {{ files_in_manifests("rejects_file", "true", "rejects", by_event_date=false) }}),

    renamed as (
        select
            -- keys
            source,
            landing_file,
            content_hash,
            line_number,
            coalesce(item, 1) as item,
            load_id,
            -- dimensions
            reason_code,
            message,
            line,
            arrival_date
        from source
    )

select *
from renamed
