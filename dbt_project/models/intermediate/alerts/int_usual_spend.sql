{{ config(materialized="view") }}
{%- set day_scope = "environment, data_mode" %}
{%- set usual_days = alert_parameter("usual_days") %}
select
    event_date,
    environment,
    data_mode,
    median(cast(watched_usd as double)) over {{ last_days(day_scope, usual_days) }} as usual_spend_usd,
    count(*) over {{ last_days(day_scope, usual_days) }} as total_days
from {{ ref("int_watched_series") }}
where scope_dimension = 'total'
