{{ kept_by_date("delivery_days") }}
with
    deliveries as (
        select
            *,
            case
                when is_withdrawn
                then 'withdrawn'
                when is_conflicting
                then 'conflicting_payload'
                when is_attempt and reused_after_days is not null
                then 'id_reused'
            end as conflict
        from {{ ref("int_repeated_deliveries") }}
        where {{ in_dates("event_date", dirty_dates()) }}
    ),

    files as (
        select content_hash, min(landing_file) as landing_file from {{ ref("int_arrivals") }} group by content_hash
    )

select
    -- keys
    deliveries.attempt_key,
    deliveries.request_id,
    deliveries.source,
    -- dimensions
    deliveries.event_date,
    deliveries.attempt_date,
    deliveries.environment,
    deliveries.data_mode,
    deliveries.conflict,
    deliveries.reused_after_days,
    -- provenance
    own_file.landing_file,
    deliveries.line_number,
    deliveries.item,
    kept_file.landing_file as kept_landing_file,
    deliveries.kept_line_number,
    deliveries.kept_item
from deliveries
left join files as own_file on deliveries.content_hash = own_file.content_hash
left join files as kept_file on deliveries.kept_content_hash = kept_file.content_hash
where deliveries.conflict is not null
