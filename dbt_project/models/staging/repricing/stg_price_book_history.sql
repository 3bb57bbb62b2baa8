-- depends_on: {{ source("ledger", "price_book") }}
select * exclude (fallback_leaves), fallback_leaves as fallback_token_kinds from {{ parquet_files(price_book_files()) }}
