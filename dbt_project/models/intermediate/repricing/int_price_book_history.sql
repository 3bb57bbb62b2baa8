{{ config(materialized="table") }} {{ joinable_prices(ref("int_price_rows")) }}
