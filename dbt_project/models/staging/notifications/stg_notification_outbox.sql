{% set columns = {
    "message_id": "varchar",
    "event_key": "varchar",
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
        -- a run that was killed while it archived left a message in both
        select *
        from {{ ledger_lines("outbox/messages.jsonl", columns) }}
        union
        select *
        from {{ ledger_lines("outbox/finished.jsonl", columns) }}
    ),

    renamed as (select * from source)

select *
from renamed
