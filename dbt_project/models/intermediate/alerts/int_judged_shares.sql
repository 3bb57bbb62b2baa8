{{ config(materialized="view") }}
-- How much of a day that is not complete is usually over by now.
select
    shares.event_date,
    shares.event_date as signal_date,
    shares.environment,
    shares.data_mode,
    shares.scope_dimension,
    shares.scope_value,
    case when shares.scope_dimension = 'endpoint' then shares.scope_value end as endpoint_tag,
    shares.usual_share
from {{ ref("int_hour_shares") }} as shares
inner join
    {{ ref("int_open_hours") }} as hours
    on {{ same_day_scope("shares", "hours") }}
    and shares.hour_of_day = hours.through_hour
