-- Days of one problem belong to one alert: it opens on the first, is extended by those
-- that follow within three quiet days, and ends as a new level after seven in a row.
{%- set anchor = "environment, data_mode, spike_type, anchor" %}
{%- set days_since_previous = dbt.datediff("previous_date", "event_date", "day") %}
with
    problems as (
        select
            problems.*,
            drivers.driver_dimension,
            drivers.driver_value,
            -- what stays the same while the description of a driver varies from day to
            -- day
            case
                when problems.spike_type = 'abuse'
                then coalesce(drivers.user_id, problems.scope_value)
                when problems.spike_type = 'concentration'
                then coalesce(drivers.tenant_id, problems.scope_value)
                when problems.spike_type = 'unknown_model'
                then coalesce(drivers.model, problems.scope_value)
                else coalesce(drivers.endpoint_tag, drivers.tenant_id, drivers.model, problems.scope_value)
            end as anchor,
            case
                when problems.spike_type = 'abuse'
                then case when drivers.user_id is null then problems.scope_dimension else 'user' end
                when problems.spike_type = 'concentration'
                then case when drivers.tenant_id is null then problems.scope_dimension else 'tenant' end
                when problems.spike_type = 'unknown_model'
                then case when drivers.model is null then problems.scope_dimension else 'model' end
                when drivers.endpoint_tag is not null
                then 'endpoint'
                when drivers.tenant_id is not null
                then 'tenant'
                when drivers.model is not null
                then 'model'
                else problems.scope_dimension
            end as anchor_dimension
        from {{ ref("int_problems") }} as problems
        inner join
            {{ ref("int_problem_drivers") }} as drivers
            on {{ same_day_scope("problems", "drivers") }}
            and problems.round = drivers.round
            and drivers.rank = 1
    ),

    -- two findings of one problem on one day are one day of it
    daily as (
        select *
        from problems
        qualify row_number() over (partition by {{ anchor }}, event_date order by round = 0, round) = 1
    ),

    gaps as (
        select *, lag(event_date) over (partition by {{ anchor }} order by event_date) as previous_date from daily
    ),

    marked as (
        select
            *,
            sum(
                case
                    when previous_date is null or {{ days_since_previous }} > {{ alert_parameter("quiet_days") }}
                    then 1
                    else 0
                end
            ) over (partition by {{ anchor }} order by event_date rows unbounded preceding) as episode,
            sum(case when previous_date is null or {{ days_since_previous }} > 1 then 1 else 0 end) over (
                partition by {{ anchor }} order by event_date rows unbounded preceding
            ) as stretch
        from gaps
    ),

    counted as (
        select *, row_number() over (partition by {{ anchor }}, stretch order by event_date) as day_in_a_row from marked
    ),

    shifted as (
        select
            *,
            min(case when day_in_a_row = {{ alert_parameter("level_shift_days") }} then event_date end) over (
                partition by {{ anchor }}, episode
            ) as shift_date
        from counted
    )

select
    event_date,
    {{ anchor }},
    anchor_dimension,
    episode,
    round,
    min(event_date) over (partition by {{ anchor }}, episode) as onset_date,
    shift_date as level_shift_date,
    cast(round(observed_usd - expected_usd, 6) as decimal(38, 12)) as excess_usd
from shifted
where shift_date is null or event_date <= shift_date
