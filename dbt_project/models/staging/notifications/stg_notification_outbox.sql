{% set columns = {
    "message_id": "varchar",
    "event_key": "varchar",
    "topic": "varchar",
    "incident_key": "varchar",
    "kind": "varchar",
    "severity": "varchar",
    "title": "varchar",
    "body": "varchar",
    "drill_url": "varchar",
    "occurred_at": "timestamp",
    "channel": "varchar",
    "status": "varchar",
    "reason": "varchar",
    "queued_at": "timestamp",
    "is_muted": "boolean",
    "dedupe_applied": "boolean",
    "cooldown_applied": "boolean",
    "digest_id": "varchar",
    "digest_due_at": "timestamp",
    "tries": "integer",
    "next_try_at": "timestamp",
    "last_error": "varchar",
    "sent_at": "timestamp",
    "may_have_doubled": "boolean",
    "acknowledged_at": "timestamp",
    "acknowledged_by": "varchar",
    "escalated_at": "timestamp",
    "escalates": "varchar",
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
    renamed as (select * exclude (topic, incident_key), coalesce(topic, incident_key) as topic from source)

-- a run that was killed while it archived left a message in both files
select distinct *
from renamed
