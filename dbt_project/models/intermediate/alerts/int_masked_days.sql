{{ config(materialized="view") }}
-- Days of a series that later judgements leave out of its past. Seven in a row are left out; after that a new level
-- is the level, and enters.
select environment, data_mode, scope_dimension, scope_value, event_date
from {{ ref("int_alerted_before") }}
qualify
    count(*) over (
        partition by environment, data_mode, scope_dimension, scope_value
        order by event_date range between interval 7 days preceding and interval 1 day preceding
    )
    < 7
