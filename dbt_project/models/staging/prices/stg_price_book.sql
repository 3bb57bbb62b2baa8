-- depends_on: {{ source("ledger", "price_book") }}
with
    source as (select * from {{ parquet_files(price_book_files(last_only=true)) }}),
    renamed as (select * exclude (fallback_leaves), fallback_leaves as fallback_token_kinds from source)

select *
from renamed
