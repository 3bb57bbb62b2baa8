{{ config(materialized="view") }}
-- What an attempt costs is its token kinds times their prices, and nothing else.
{{ priced(ref("int_attempts"), ref("int_price_book")) }}
