-- depends_on: {{ source("raw", "incidents") }}
with
    source as (select * from {{ raw_rows("incidents") }}),

    renamed as (
        select
            -- keys
            incident_id,
            event_id,
            content_hash,
            line_number,
            load_id,
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
            -- the text
            title,
            owner,
            channel,
            containment_action,
            root_cause,
            guardrail,
            runbook_url,
            escalation_channel,
            reason,
            note,
            -- times
            occurred_at,
            started_at,
            event_date
        from source
        where plan_id is null
    )

select *
from renamed
