{{ config(materialized="view") }}
-- Rejected lines under the name by which their content first arrived, so that the order of loads shows nowhere. A file
-- that was refused as a whole is judged again under every name, and keeps each.
with
    rejects as (select * from {{ ref("stg_rejects") }}),

    arrivals as (select * from {{ ref("int_arrivals") }} where is_loaded)

select
    rejects.* exclude (landing_file, arrival_date, message),
    coalesce(arrivals.landing_file, rejects.landing_file) as landing_file,
    coalesce(arrivals.arrival_date, rejects.arrival_date) as arrival_date,
    replace(message, rejects.landing_file, coalesce(arrivals.landing_file, rejects.landing_file)) as message
from rejects
left join arrivals on rejects.source = arrivals.source and rejects.content_hash = arrivals.content_hash
