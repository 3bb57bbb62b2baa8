{{ config(materialized="table") }} {{ joinable_prices(ref("stg_price_book")) }}
