-- depends_on: {{ source("raw", "events") }}
with
    source as (select * from {{ raw_spans() }} where span_id is not null),

    renamed as (
        select
            -- keys
            source,
            content_hash,
            line_number,
            item,
            trace_id,
            span_id,
            parent_span_id,
            -- dimensions
            status is not null as is_call,
            endpoint_tag,
            prompt_version,
            feature_tag,
            tenant_id,
            user_id,
            -- times
            event_date
        from source
    )

select *
from renamed
