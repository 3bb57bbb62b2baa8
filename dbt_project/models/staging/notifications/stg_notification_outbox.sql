{% set columns = {
    "message_id": "string",
    "event_key": "string",
    "topic": "string",
    "incident_key": "string",
    "kind": "string",
    "severity": "string",
    "title": "string",
    "body": "string",
    "drill_url": "string",
    "occurred_at": "timestamp",
    "channel": "string",
    "status": "string",
    "reason": "string",
    "queued_at": "timestamp",
    "is_muted": "boolean",
    "dedupe_applied": "boolean",
    "cooldown_applied": "boolean",
    "digest_id": "string",
    "digest_due_at": "timestamp",
    "tries": "integer",
    "next_try_at": "timestamp",
    "last_error": "string",
    "sent_at": "timestamp",
    "may_have_doubled": "boolean",
    "acknowledged_at": "timestamp",
    "acknowledged_by": "string",
    "escalated_at": "timestamp",
    "escalates": "string",
    "alerts": "struct(alert_id string)[]",
} %}

with
    source as (
        select *
        from {{ ledger_lines("outbox/messages.jsonl", columns) }}
        union all
        select *
        from {{ ledger_lines("outbox/finished.jsonl", columns) }}
    ),

    -- rows that were written before there were topics have an incident_key
    renamed as (
        select
            * exclude (topic, incident_key, alerts),
            coalesce(topic, incident_key) as topic,
            nullif(array_to_string(list_transform(alerts, alert -> alert.alert_id), ' '), '') as alert_ids
        from source
    )

-- a run that was killed while it archived left a message in both files
select distinct *
from renamed
