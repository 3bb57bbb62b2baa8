-- depends_on: {{ source("ledger", "price_book") }}
with
    versions as (select * from {{ json_lines(data_root() ~ "/ledger/price_book/versions.jsonl") }}),

    source as (select * from {{ parquet_files([data_root() ~ "/ledger/price_book/*/*.parquet"]) }}),

    renamed as (select * from source)

select *
from renamed
