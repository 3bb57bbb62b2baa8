{{ kept_by_date("alert_signal_days") }}
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set usual_days, new_days = alert_parameter("usual_days"), alert_parameter("new_version_days") %}
with
    signal_days as (
        select distinct event_date, environment, data_mode
        from {{ ref("int_alert_signals") }}
        where {{ in_dates("event_date", dates) }} and observed > expected
    ),

    usage as (select * from {{ ref("int_judged_usage") }} where {{ in_dates("event_date", dates) }}),

    large_members as (select * from {{ ref("int_large_members") }} where {{ in_dates("event_date", dates) }}),

    versions as (
        select
            signal_days.event_date as signal_date,
            versions.*,
            split_part(versions.scope_value, ' | ', 1) as endpoint_tag,
            split_part(versions.scope_value, ' | ', 2) as prompt_version
        from signal_days
        inner join
            {{ ref("int_watched_series") }} as versions
            on signal_days.environment = versions.environment
            and signal_days.data_mode = versions.data_mode
            and versions.event_date between signal_days.event_date - {{ usual_days }} and signal_days.event_date - 1
        where versions.scope_dimension = 'endpoint x prompt_version'
    ),

    -- a version counts as new on its first days, until it had half of its endpoint's
    -- requests for a day on which neither stood out: what it is like is known then
    settled_versions as (
        select distinct
            versions.signal_date as event_date,
            versions.environment,
            versions.data_mode,
            versions.endpoint_tag,
            versions.prompt_version
        from versions
        left join
            {{ ref("int_watched_series") }} as endpoints
            on {{ same_day_scope("versions", "endpoints") }}
            and endpoints.scope_dimension = 'endpoint'
            and versions.endpoint_tag = endpoints.scope_value
        left join
            {{ ref("int_masked_days") }} as masked
            on {{ same_day_scope("versions", "masked") }}
            and (
                masked.scope_dimension = 'endpoint'
                and versions.endpoint_tag = masked.scope_value
                or masked.scope_dimension = versions.scope_dimension
                and versions.scope_value = masked.scope_value
            )
        where
            versions.event_date < versions.signal_date - {{ new_days }}
            or versions.requests >= {{ alert_parameter("settled_share") }} * endpoints.requests
            and masked.event_date is null
    )

select
    usage.event_date,
    usage.environment,
    usage.data_mode,
    usage.endpoint_tag,
    case
        when settled_versions.event_date is null and usage.prompt_version <> '(unattributed)'
        then usage.prompt_version
        else '(settled)'
    end as prompt_version,
    coalesce(large_tenants.member, '(other)') as tenant_id,
    coalesce(large_users.member, '(other)') as user_id,
    usage.model,
    cast(sum(usage.exposure_usd) as double) as exposure_usd,
    {% for measure in driver_measures() %}
        cast(sum(usage.{{ measure.sum }}) as double) as {{ measure.name }},
    {% endfor %}
    {{ sums_of_kinds("usage") }}
from signal_days
inner join usage on {{ same_day_scope("signal_days", "usage") }}
left join
    large_members as large_tenants
    on {{ same_day_scope("usage", "large_tenants") }}
    and large_tenants.dimension = 'tenant'
    and usage.tenant_id = large_tenants.member
left join
    large_members as large_users
    on {{ same_day_scope("usage", "large_users") }}
    and large_users.dimension = 'user'
    and usage.user_id = large_users.member
left join
    settled_versions
    on {{ same_day_scope("usage", "settled_versions") }}
    and usage.endpoint_tag = settled_versions.endpoint_tag
    and usage.prompt_version = settled_versions.prompt_version
group by all
