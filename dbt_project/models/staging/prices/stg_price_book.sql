-- depends_on: {{ source("ledger", "price_book") }}
with
    source as (select * from {{ parquet_files([current_price_book()]) }}),
    renamed as (select * exclude (fallback_leaves), fallback_leaves as fallback_token_kinds from source)

select *
from renamed
