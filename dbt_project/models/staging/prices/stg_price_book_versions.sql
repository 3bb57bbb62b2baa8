-- depends_on: {{ source("ledger", "price_book") }}
select
    price_book_version,
    cast(recorded_at as timestamp) as recorded_at,
    catalogue_version,
    overrides_hash,
    compiler_version
from {{ json_lines(data_root() ~ "/ledger/price_book/versions.jsonl") }}
where price_book_version is not null
