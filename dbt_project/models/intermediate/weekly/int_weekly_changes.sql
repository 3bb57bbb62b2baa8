{{ config(materialized="view") }}
-- The members of each dimension that changed most; a week that is not over, or has none
-- before it, has no change.
select
    weeks.iso_week,
    drivers.event_date as week_start,
    weeks.is_complete,
    drivers.environment,
    drivers.data_mode,
    drivers.dimension,
    drivers.rank,
    drivers.member,
    drivers.spend_usd,
    case when usage.previous_spend_usd is not null then drivers.previous_spend_usd end as previous_spend_usd,
    case when usage.change_usd is not null then drivers.change_usd end as change_usd,
    drivers.share_of_spend
from {{ ref("int_weekly_drivers") }} as drivers
inner join {{ ref("int_weeks") }} as weeks on drivers.event_date = weeks.week_start
inner join
    {{ ref("int_weekly_usage") }} as usage
    on drivers.event_date = usage.week_start
    and drivers.environment = usage.environment
    and drivers.data_mode = usage.data_mode
-- in a silent week of which nothing arrived, nobody is known to have spent less
where usage.attempts > 0 or usage.silent_days = 0
