-- depends_on: {{ source("raw", "incidents") }}
with
    source as (select * from {{ raw_rows("incidents") }}),

    renamed as (
        select
            -- keys
            plan_id,
            content_hash,
            line_number,
            fingerprint as problem_id,
            -- dimensions
            event_type,
            actor,
            environment,
            data_mode,
            endpoint_tag,
            prompt_version,
            tenant_id,
            user_id,
            model,
            -- the text
            reason,
            -- times
            from_date,
            until_date,
            occurred_at
        from source
        where plan_id is not null
    )

select *
from renamed
