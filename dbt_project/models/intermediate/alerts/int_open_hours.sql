{{ config(materialized="view") }}
-- How much of each day that is not complete counts: an hour does once its calls are
-- expected to have arrived, by the delay within which nine tenths of the environment's
-- calls usually do.
with
    senders as (
        select environment, data_mode, source, sum(attempts) as attempts
        from {{ ref("int_source_hours") }}
        where event_date between cast({{ as_of() }} as date) - {{ alert_parameter("usual_days") }} and {{ as_of() }}
        group by environment, data_mode, source
    ),

    delays as (
        select
            senders.environment,
            senders.data_mode,
            -- the lateness that a day is allowed is not a delay of an hour
            coalesce(delays.expected_delay_hours - {{ lateness_hours() }}, 24) as delay_hours,
            sum(senders.attempts) over (
                partition by senders.environment, senders.data_mode
                order by coalesce(delays.expected_delay_hours, 24 + {{ lateness_hours() }})
            )
            / sum(senders.attempts) over (partition by senders.environment, senders.data_mode) as share_by_then
        from senders
        left join {{ ref("int_source_delays") }} as delays on senders.source = delays.source
    ),

    environments as (
        select environment, data_mode, min(delay_hours) as delay_hours
        from delays
        where share_by_then >= {{ alert_parameter("arrived_share") }}
        group by environment, data_mode
    )

select
    days.event_date,
    environments.environment,
    environments.data_mode,
    cast(environments.delay_hours as integer) as delay_hours,
    cast(
        least(
            23, {{ dbt.datediff("cast(days.event_date as timestamp)", as_of(), "hour") }} - environments.delay_hours - 1
        ) as integer
    ) as through_hour
from {{ ref("costed_usage_days") }} as days
cross join environments
where
    days.event_date + interval 1 day + interval {{ lateness_hours() }} hours > {{ as_of() }}
    and days.event_date <= cast({{ as_of() }} as date)
