{{ config(materialized="view") }}
select
    alerts.alert_id,
    cast(drivers.rank as integer) as rank,
    drivers.effect,
    drivers.driver_dimension,
    drivers.driver_value,
    drivers.endpoint_tag,
    drivers.prompt_version,
    drivers.tenant_id,
    drivers.user_id,
    drivers.model,
    -- sums of DOUBLEs: their last digits depend on the order of rows
    cast(round(drivers.expected_usd, 6) as decimal(38, 12)) as baseline_usd,
    cast(round(drivers.actual_usd, 6) as decimal(38, 12)) as current_usd,
    cast(round(drivers.actual_usd, 6) as decimal(38, 12))
    - cast(round(drivers.expected_usd, 6) as decimal(38, 12)) as delta_usd,
    drivers.delta_usd / nullif(cast(alerts.delta_usd as double), 0) as share_of_delta,
    drivers.score,
    drivers.equivalents
from {{ ref("int_problem_drivers") }} as drivers
inner join
    {{ ref("int_alerts") }} as alerts on {{ same_day_scope("drivers", "alerts") }} and drivers.round = alerts.round
