{{ config(materialized="view") }}
select row_number() over (order by recorded_at) as version_sequence, *
from {{ ref("stg_price_book_versions") }}
