-- Every alert with all parts of its row, from its first day.
with
    episodes as (select * from {{ ref("int_alert_episodes") }}),

    problems as (select * from {{ ref("int_problems") }}),

    drivers as (select * from {{ ref("int_problem_drivers") }}),

    compared as (select * from {{ ref("int_problem_sides") }}),

    deltas as (
        select distinct event_date, environment, data_mode, round, delta_usd from {{ ref("int_problem_effects") }}
    ),

    judged_until as (select max(event_date) as last_complete_date from {{ ref("alert_days") }})

select
    {{ alert_id("episodes") }} as alert_id,
    -- what makes two alerts the same problem: its spike type and its driver, which also
    -- join days to one alert; the words of a driver, the rule that raised it and the
    -- figures vary from time to time and are left out (docs/incidents.md has examples)
    left(
        md5(
            concat_ws(
                '|',
                {{ name_part("episodes.environment") }},
                episodes.data_mode,
                episodes.spike_type,
                episodes.anchor_dimension,
                episodes.anchor
            )
        ),
        16
    ) as problem_id,
    episodes.anchor_dimension,
    episodes.anchor,
    -- a drift that one identity carries is its concentration
    case
        when problems.alert_type = 'cost_drift' and problems.spike_type = 'abuse'
        then 'user_concentration'
        when problems.alert_type = 'cost_drift' and problems.spike_type = 'concentration'
        then 'tenant_concentration'
        else problems.alert_type
    end as alert_type,
    episodes.onset_date as alert_date,
    episodes.onset_date,
    episodes.last_date,
    episodes.days,
    episodes.level_shift_date,
    episodes.total_excess_usd,
    problems.* exclude (alert_type),
    drivers.driver_dimension as top_driver_dimension,
    drivers.driver_value as top_driver_value,
    cast(round(drivers.actual_usd, 6) as decimal(38, 12))
    - cast(round(drivers.expected_usd, 6) as decimal(38, 12)) as top_driver_delta_usd,
    drivers.endpoint_tag as driver_endpoint_tag,
    drivers.confidence,
    compared.main_endpoint_tag,
    compared.current_usd,
    cast(compared.baseline_usd as decimal(38, 12)) as baseline_usd,
    cast(compared.current_exposure_usd as decimal(38, 12)) as current_exposure_usd,
    compared.baseline_from,
    compared.baseline_to,
    compared.unpriced_attempts,
    deltas.delta_usd,
    judged_until.last_complete_date
from episodes
inner join
    problems
    on episodes.onset_date = problems.event_date
    and episodes.environment = problems.environment
    and episodes.data_mode = problems.data_mode
    and episodes.round = problems.round
    and episodes.spike_type = problems.spike_type
inner join
    drivers on {{ same_day_scope("problems", "drivers") }} and problems.round = drivers.round and drivers.rank = 1
inner join compared on {{ same_day_scope("problems", "compared") }} and problems.round = compared.round
inner join deltas on {{ same_day_scope("problems", "deltas") }} and problems.round = deltas.round
cross join judged_until
