{{ config(materialized="view") }}
-- The same content may land under several names, in any order of loads: it arrived
-- when, and as, the first of them did.
select
    source,
    content_hash,
    min(arrival_date) as arrival_date,
    min(landing_file) as landing_file,
    coalesce(bool_or(file_status = 'loaded'), false) as is_loaded
from {{ ref("stg_loads") }}
where content_hash is not null
group by source, content_hash
