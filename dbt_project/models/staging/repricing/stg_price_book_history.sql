-- depends_on: {{ source("ledger", "price_book") }}
select * from {{ price_book_history() }}
