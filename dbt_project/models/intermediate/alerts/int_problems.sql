{{ kept_by_date("alert_signal_days") }}
-- What stood out on a day, grouped by driver: a driver explains many series, and they
-- are one problem.
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set day_scope = "event_date, environment, data_mode" %}
with
    belonging as (select * from {{ ref("int_problem_signals") }} where {{ in_dates("event_date", dates) }}),

    named as (select * from {{ ref("int_named_drivers") }} where {{ in_dates("event_date", dates) }}),

    -- a problem is shown by the series that shows it most clearly
    primary_signals as (
        select signals.*
        from belonging as signals
        inner join named using ({{ day_scope }}, round)
        qualify
            row_number() over (
                partition by {{ day_scope }}, round
                order by
                    case when signals.alert_type = named.spike_type then 0 else 1 end,
                    case when signals.scope_dimension = 'endpoint x prompt_version' then 1 else 0 end,
                    -- its own identity, its own route or endpoint, its endpoint,
                    -- anything else; what a route that is new costs does not measure
                    -- what routing changed, so there the endpoint is shown
                    case
                        when signals.scope_dimension = 'user' and signals.scope_value = named.user_id
                        then 0
                        when
                            signals.scope_dimension = 'tenant'
                            and signals.scope_value = named.tenant_id
                            and named.user_id is null
                        then 0
                        when
                            signals.scope_dimension = 'endpoint x model'
                            and named.effect <> 'price_mix'
                            and signals.scope_value = named.endpoint_tag || ' | ' || named.model
                        then 1
                        when signals.scope_dimension = 'endpoint' and signals.scope_value = named.endpoint_tag
                        then 2
                        when
                            signals.scope_dimension = 'model'
                            and signals.scope_value = named.model
                            and named.endpoint_tag is null
                        then 2
                        else 3
                    end,
                    case
                        when
                            signals.observed - signals.expected
                            >= {{ alert_parameter("primary_share") }} * named.driver_delta_usd
                        then 0
                        else 1
                    end,
                    case when signals.measure = 'cost' then 0 else 1 end,
                    signals.z desc nulls last,
                    signals.scope_dimension,
                    signals.scope_value
            )
            = 1
    ),

    gathered as (
        select
            {{ day_scope }},
            round,
            max_by(z, z / min_z) as z,
            -- after the first problem of a day, another one is less likely than noise
            -- caused by the first one
            max_by(min_z, z / min_z) * case
                when round <> 1 and bool_or(round = 1) over (partition by {{ day_scope }})
                then {{ alert_parameter("second_problem_factor") }}
                else 1
            end as threshold,
            count(*) as series,
            string_agg(
                distinct scope_dimension || ' ' || scope_value, '; ' order by scope_dimension || ' ' || scope_value
            ) as related
        from belonging
        group by {{ day_scope }}, round
    )

select
    named.* exclude (new_version, leading_tenant_id, leading_user_id, user_id, tenant_id, prompt_version),
    -- a spike of one identity or one deploy is named after it, however the segment was
    -- found
    case
        when named.spike_type = 'deploy'
        then coalesce(named.prompt_version, named.new_version)
        else named.prompt_version
    end as prompt_version,
    case
        when named.spike_type = 'abuse'
        then null
        when named.spike_type = 'concentration'
        then coalesce(named.tenant_id, named.leading_tenant_id)
        else named.tenant_id
    end as tenant_id,
    case
        when named.spike_type = 'abuse' then coalesce(named.user_id, named.leading_user_id) else named.user_id
    end as user_id,
    primary_signals.alert_type,
    primary_signals.measure,
    case
        when primary_signals.scope_dimension = 'endpoint x prompt_version'
        then 'endpoint'
        else primary_signals.scope_dimension
    end as scope_dimension,
    case
        when primary_signals.scope_dimension = 'endpoint x prompt_version'
        then split_part(primary_signals.scope_value, ' | ', 1)
        else primary_signals.scope_value
    end as scope_value,
    primary_signals.usual_spend_usd,
    primary_signals.observed as observed_usd,
    primary_signals.expected as expected_usd,
    gathered.z,
    gathered.threshold,
    primary_signals.min_usd,
    primary_signals.critical_share_of_spend,
    primary_signals.is_muted,
    primary_signals.first_hour,
    primary_signals.last_hour,
    gathered.series,
    gathered.related
from named
inner join primary_signals using ({{ day_scope }}, round)
inner join gathered using ({{ day_scope }}, round)
where gathered.z >= gathered.threshold
