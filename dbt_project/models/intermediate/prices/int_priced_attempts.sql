{{ config(materialized="view") }}
-- What an attempt costs is its leaves times their prices, and nothing else.
{{ priced(ref("int_attempts"), ref("int_price_book")) }}
