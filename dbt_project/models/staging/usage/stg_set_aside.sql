-- depends_on: {{ source("ledger", "set_aside") }}
with
    source as (
        select *
        from
            {{
                ledger_lines(
                    "set_aside/log.jsonl",
                    {
                        "sequence": "bigint",
                        "action": "string",
                        "source": "string",
                        "content_hash": "string",
                        "line_number": "bigint",
                        "item": "integer",
                        "actor": "string",
                        "reason": "string",
                        "recorded_at": "timestamp",
                    },
                )
            }}
    ),

    renamed as (
        select
            -- keys
            sequence,
            source,
            content_hash,
            line_number,
            item,
            -- the decision
            action,
            actor,
            reason,
            -- times
            recorded_at
        from source
    )

select *
from renamed
