{{ config(materialized="view") }}
-- What is judged of each day: all of it, or its hours that count.
select *
from {{ ref("int_costed_usage") }}
where event_date not in (select event_date from {{ ref("alert_open_days") }})
union all
{{ costed(ref("int_open_usage")) }}
