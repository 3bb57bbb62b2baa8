{{ config(materialized="view") }}
-- Days of plans that later judgements leave out of the past: the first three weeks.
-- What lasts longer is the new level, and with less past there would be nothing to
-- compare. A mute leaves out nothing, and neither does a plan of a problem: its days
-- are left out where they stand out, as always.
with
    plans as (
        select *, least(until_date, from_date + {{ alert_parameter("most_planned_days") }}) as left_out_until
        from {{ ref("int_plans") }}
        where kind = 'planned' and problem_id is null and from_date < until_date
    ),

    days as (
        select *, cast(unnest(generate_series(from_date, left_out_until - 1, interval 1 day)) as date) as event_date
        from plans
    )

select plan_id, event_date, environment, data_mode, endpoint_tag, prompt_version, tenant_id, user_id, model
from days
