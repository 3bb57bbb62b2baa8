{{ config(materialized="view") }}
-- The strongest driver of every round with its spike type, in the order in which
-- on-call rules causes out (docs/alerts.md); and the type that the series itself gives,
-- where no driver was found for it.
{%- set problem_key = "event_date, environment, data_mode, round" %}
{%- set leading = alert_parameter("leading_share") %}
{%- set leading_before = alert_parameter("leading_share_before") %}
with
    drivers as (
        select *
        from {{ ref("int_drivers") }}
        left join {{ ref("int_driver_carriers") }} using ({{ problem_key }})
        where rank = 1
    ),

    alone as (
        select
            signals.*,
            case
                when signals.alert_type = 'burst_falling_success' or signals.measure = 'calls per request'
                then 'retry'
                when signals.measure = 'price'
                then 'price_mix'
                else
                    coalesce(
                        risen.effect,
                        case when signals.alert_type = 'cost_per_request_drift' then 'token' else 'volume' end
                    )
            end as effect,
            risen.token_direction
        from {{ ref("int_problem_signals") }} as signals
        left join {{ ref("int_alone_effects") }} as risen on {{ same_day_scope("signals", "risen") }}
        where signals.round = 0
    )

select
    {{ problem_key }},
    effect,
    endpoint_tag,
    prompt_version,
    tenant_id,
    user_id,
    model,
    actual_usd as driver_current_usd,
    expected_usd as driver_baseline_usd,
    delta_usd as driver_delta_usd,
    score,
    strength,
    case
        when exposure_usd >= {{ alert_parameter("exposure_share") }} * delta_usd
        then 'unknown_model'
        when effect = 'retry'
        then 'retry'
        when effect = 'volume' and user_id is not null
        then 'abuse'
        when
            effect = 'volume'
            and leading_user_id not in ('(other)', '(unattributed)')
            and leading_user_id_share >= {{ leading }}
            and leading_user_id_share_before <= {{ leading_before }}
        then 'abuse'
        when effect = 'volume' and tenant_id is not null
        then 'concentration'
        when
            effect = 'volume'
            and leading_tenant_id not in ('(other)', '(unattributed)')
            and leading_tenant_id_share >= {{ leading }}
            and leading_tenant_id_share_before <= {{ leading_before }}
        then 'concentration'
        when
            effect in ('token', 'cache', 'price_mix')
            and (prompt_version is not null or new_version_share >= {{ leading }})
        then 'deploy'
        -- a longer input of which as much is read from the cache as before has not lost
        -- its cache
        when
            effect in ('token', 'cache')
            and lost_cache_reads > 0
            and cache_delta_usd
            >= {{ alert_parameter("cache_share") }} * (input_delta_usd + cache_delta_usd + output_delta_usd)
        then 'cache'
        when effect = 'cache'
        then 'token'
        else effect
    end as spike_type,
    case
        when effect not in ('token', 'cache')
        then null
        -- rounded: of equal halves, the last digits depend on the order of rows
        when round(output_delta_usd - input_delta_usd - cache_delta_usd, 9) > 0
        then 'output'
        else 'input'
    end as token_direction,
    new_version,
    leading_tenant_id,
    leading_user_id
from drivers
union all
select
    {{ problem_key }},
    effect,
    case
        when scope_dimension = 'endpoint'
        then scope_value
        when scope_dimension in ('endpoint x model', 'endpoint x prompt_version')
        then split_part(scope_value, ' | ', 1)
    end,
    case when scope_dimension = 'endpoint x prompt_version' then split_part(scope_value, ' | ', 2) end,
    case when scope_dimension = 'tenant' then scope_value end,
    case when scope_dimension = 'user' then scope_value end,
    case
        when scope_dimension = 'model'
        then scope_value
        when scope_dimension = 'endpoint x model'
        then split_part(scope_value, ' | ', 2)
    end,
    observed,
    expected,
    observed - expected,
    0,
    0,
    case
        when alert_type = 'unknown_model'
        then 'unknown_model'
        when alert_type = 'new_model'
        then 'price_mix'
        when (effect = 'volume' or alert_type = 'new_identity') and scope_dimension = 'user'
        then 'abuse'
        when (effect = 'volume' or alert_type = 'new_identity') and scope_dimension = 'tenant'
        then 'concentration'
        else effect
    end,
    token_direction,
    null,
    null,
    null
from alone
