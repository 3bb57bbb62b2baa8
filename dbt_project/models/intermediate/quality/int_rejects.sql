{{ config(materialized="view") }}
-- Rejected lines under the name by which their content first arrived, so that the order
-- of loads makes no difference. A file that was refused as a whole is judged again
-- under every name, and keeps each. A line that was loaded and set aside by hand is one
-- of them.
with
    rejects as (select * from {{ ref("stg_rejects") }}),

    set_aside as (select * from {{ ref("int_set_aside") }}),

    arrivals as (select * from {{ ref("int_arrivals") }} where is_loaded)

select
    rejects.source,
    rejects.content_hash,
    rejects.line_number,
    rejects.item,
    rejects.load_id,
    rejects.reason_code,
    rejects.line,
    coalesce(arrivals.landing_file, rejects.landing_file) as landing_file,
    coalesce(arrivals.arrival_date, rejects.arrival_date) as arrival_date,
    replace(message, rejects.landing_file, coalesce(arrivals.landing_file, rejects.landing_file)) as message
from rejects
left join arrivals on rejects.source = arrivals.source and rejects.content_hash = arrivals.content_hash

union all

select
    set_aside.source,
    set_aside.content_hash,
    set_aside.line_number,
    set_aside.item,
    set_aside.load_id,
    'set_aside' as reason_code,
    set_aside.line,
    arrivals.landing_file,
    arrivals.arrival_date,
    'landing/'
    || arrivals.landing_file
    || ' line '
    || set_aside.line_number
    || ': set aside by '
    || set_aside.actor
    || ' on '
    || cast(set_aside.recorded_at as date)
    || ': '
    || set_aside.reason
    || '. `make take-back` with the same FILE and LINE counts it again.' as message
from set_aside
inner join arrivals on set_aside.source = arrivals.source and set_aside.content_hash = arrivals.content_hash
