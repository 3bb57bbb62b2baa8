select * from {{ ref("int_price_book_changes") }}
