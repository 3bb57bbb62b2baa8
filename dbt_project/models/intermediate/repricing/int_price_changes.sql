{{ config(materialized="table") }} {{ price_changes(ref("stg_price_book_history")) }}
