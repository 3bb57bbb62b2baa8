-- depends_on: {{ source("ledger", "price_book") }}
with source as (select * from {{ parquet_files([current_price_book()]) }}), renamed as (select * from source)

select *
from renamed
