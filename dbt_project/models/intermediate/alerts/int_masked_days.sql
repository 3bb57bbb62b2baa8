{{ config(materialized="view") }}
-- Days of a series that later judgements leave out of its past: what stood out, and
-- what was planned. Of what stood out seven in a row are left out; after that they are
-- the new level, and count.
{%- set longest = alert_parameter("level_shift_days") %}
with
    alerted as (
        select environment, data_mode, scope_dimension, scope_value, event_date
        from {{ ref("int_alerted_before") }}
        qualify
            count(*) over {{ last_days("environment, data_mode, scope_dimension, scope_value", longest) }}
            < {{ longest }}
    )

select *
from alerted
union
select environment, data_mode, scope_dimension, scope_value, event_date
from {{ ref("int_planned_days") }}
