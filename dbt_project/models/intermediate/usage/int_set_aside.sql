-- Lines now set aside: the last decision about each counts. They are dropped before
-- deliveries are made, and are listed with the rejects.
{%- set dates = [] %}
{%- if execute %}
    {%- set touched %}
        select distinct event_date
        from {{ ref("stg_loads") }}
        where event_date is not null and content_hash in (select content_hash from {{ ref("stg_set_aside") }})
        order by 1
    {%- endset %}
    {%- set dates = run_query(touched).columns[0].values() | list %}
{%- endif %}
-- depends_on: {{ ref("stg_loads") }}
with
    said as (select * from {{ ref("stg_set_aside") }} where {{ is_usage() }}),

    last_said as (
        select *
        from said
        qualify row_number() over (partition by source, content_hash, line_number, item order by sequence desc) = 1
    ),

    events as (select * from {{ ref("stg_events") }} where {{ in_dates("event_date", dates) }})

select
    -- keys
    events.source,
    events.content_hash,
    events.line_number,
    events.item,
    events.load_id,
    events.event_date,
    -- the decision
    last_said.actor,
    last_said.reason,
    last_said.recorded_at,
    -- the line as it was loaded
    {{ row_as_json("events") }} as line
from last_said
inner join
    events
    on last_said.source = events.source
    and last_said.content_hash = events.content_hash
    and last_said.line_number = events.line_number
    and last_said.item = events.item
where last_said.action = 'set_aside'
