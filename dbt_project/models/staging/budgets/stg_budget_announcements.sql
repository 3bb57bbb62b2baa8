with
    source as (
        select *
        from
            {{
                ledger_lines(
                    "budget_announcements/log.jsonl",
                    {
                        "announcement_id": "varchar",
                        "kind": "varchar",
                        "budget_id": "varchar",
                        "period_start": "date",
                        "from_state": "varchar",
                        "to_state": "varchar",
                        "cause": "varchar",
                        "changed_at": "timestamp",
                        "changed_at_local": "timestamp",
                        "time_zone": "varchar",
                        "spent_usd": "decimal(38, 12)",
                        "limit_usd": "decimal(38, 12)",
                        "projection_usd": "decimal(38, 12)",
                        "attempts": "bigint",
                        "correction_cause": "varchar",
                        "corrects": "varchar",
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
