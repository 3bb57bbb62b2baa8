-- depends_on: {{ source("ledger", "price_book") }}
-- `price_book_version` says which version created a row; the folder says which version
-- contains it.
select
    {{ folder_of("price_rows.file") }} as held_by_version,
    price_rows.* exclude (file, fallback_leaves),
    price_rows.fallback_leaves as fallback_token_kinds
from {{ parquet_files(price_book_files(), filename="file") }} as price_rows
