-- depends_on: {{ source("raw", "events") }}
with
    source as (select * from {{ manifests() }}),

    renamed as (
        select
            -- keys
            load_id,
            source,
            landing_file,
            content_hash,
            event_date,
            -- dimensions
            arrival_date,
            file_status,
            raw_file,
            rejects_file,
            price_keys,
            rejects_by_reason,
            skips_by_reason,
            mapping_hash,
            amounts,
            scopes,
            -- quantities
            size_bytes,
            rows_in,
            rows_loaded,
            rows_rejected,
            coalesce(rows_skipped, 0) as rows_skipped,
            -- times
            first_occurred_at,
            last_occurred_at,
            loaded_at
        from source
    )

select *
from renamed
