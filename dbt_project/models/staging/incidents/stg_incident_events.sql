-- depends_on: {{ source("raw", "incidents") }}
with
    source as (select * from {{ raw_rows("incidents") }}),

    -- the same content may land under several names: it arrived when, and as, the first of them did
    arrivals as (select * from {{ ref("int_arrivals") }} where source = 'incidents'),

    renamed as (
        select
            -- keys
            incident_id,
            event_id,
            source.content_hash,
            line_number,
            load_id,
            landing_file,
            alert_id,
            fingerprint as problem_id,
            -- dimensions
            event_type,
            actor,
            environment,
            data_mode,
            spike_type,
            endpoint_tag,
            prompt_version,
            tenant_id,
            user_id,
            model,
            -- what it says
            title,
            owner,
            channel,
            containment_action,
            root_cause,
            guardrail,
            runbook_url,
            escalation_channel,
            note,
            -- times
            occurred_at,
            started_at,
            event_date,
            arrival_date
        from source
        left join arrivals on source.content_hash = arrivals.content_hash
    )

select *
from renamed
