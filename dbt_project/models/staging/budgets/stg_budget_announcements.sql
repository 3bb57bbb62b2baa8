with
    source as (
        select *
        from
            {{
                ledger_lines(
                    "budget_announcements/log.jsonl",
                    {
                        "announcement_id": "string",
                        "kind": "string",
                        "budget_id": "string",
                        "period_start": "date",
                        "from_state": "string",
                        "to_state": "string",
                        "cause": "string",
                        "changed_at": "timestamp",
                        "changed_at_local": "timestamp",
                        "time_zone": "string",
                        "spent_usd": "decimal(38, 12)",
                        "limit_usd": "decimal(38, 12)",
                        "projection_usd": "decimal(38, 12)",
                        "attempts": "bigint",
                        "correction_cause": "string",
                        "correction_detail": "string",
                        "corrects": "string",
                        "changed_at_before": "timestamp",
                        "is_silent": "boolean",
                        "is_muted": "boolean",
                        "known_at": "timestamp",
                    },
                )
            }}
    ),

    renamed as (select * from source)

select *
from renamed
