with
    source as (
        select *
        from
            {{
                ledger_lines(
                    "alert_announcements/log.jsonl",
                    {"alert_id": "string", "supersedes": "string", "kind": "string", "known_at": "timestamp"},
                )
            }}
    ),

    renamed as (select alert_id, supersedes as supersedes_alert_id, kind, known_at from source)

select *
from renamed
