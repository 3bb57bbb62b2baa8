{{ config(materialized="table") }}
-- The price book as joins want it: no open ends, and the price key as events carry it.
select
    * exclude (valid_from, valid_to, input_tokens_to),
    coalesce(valid_from, timestamp '0001-01-01') as valid_from,
    coalesce(valid_to, timestamp '9999-01-01') as valid_to,
    coalesce(input_tokens_to, 9223372036854775807) as input_tokens_to
from {{ ref("stg_price_book") }}
