{{ kept_by_date("alert_signal_days") }}
-- Both sides of a day with a signal, by leaf: the day itself and the 28 days before it.
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set past_dates = with_neighbours(dates, 28, -1) %}
{%- set day_scope = "signal_date, environment, data_mode" %}
with
    signal_days as (
        select distinct event_date as signal_date, environment, data_mode, usual_spend_usd
        from {{ ref("int_alert_signals") }}
        where {{ in_dates("event_date", dates) }} and observed > expected
    ),

    today as (
        select signal_days.*, usage.* exclude (event_date, environment, data_mode)
        from signal_days
        inner join
            {{ ref("int_costed_usage") }} as usage
            on signal_days.environment = usage.environment
            and signal_days.data_mode = usage.data_mode
            and signal_days.signal_date = usage.event_date
    ),

    {% for dimension in leaf_dimensions() if dimension.name in ["tenant", "user"] %}
        -- only who has a name and spends enough today can be a driver; the others are one crowd
        large_{{ dimension.column }} as (
            select {{ day_scope }}, {{ dimension.column }}
            from today
            where {{ dimension.column }} <> '(unattributed)'
            group by {{ day_scope }}, {{ dimension.column }}, usual_spend_usd
            having sum(watched_usd) >= greatest(0.005 * usual_spend_usd, 0.1)
        ),

        -- whose past is told apart: the large, and those of whom alerted days are left out below
        named_{{ dimension.column }} as (
            select environment, data_mode, {{ dimension.column }}
            from large_{{ dimension.column }}
            union
            select environment, data_mode, scope_value
            from {{ ref("int_masked_days") }}
            where scope_dimension = '{{ dimension.name }}' and {{ in_dates("event_date", past_dates) }}
        ),
    {% endfor %}

    crowded as (
        select
            usage.event_date,
            usage.environment,
            usage.data_mode,
            usage.endpoint_tag,
            coalesce(named_tenant_id.tenant_id, '(other)') as tenant_id,
            coalesce(named_user_id.user_id, '(other)') as user_id,
            usage.provider,
            usage.model,
            {% for measure in usage_measures() %}
                sum({{ measure }}) as {{ measure }} {{- "," if not loop.last }}
            {% endfor %}
        from {{ ref("int_usage_daily") }} as usage
        left join named_tenant_id using (environment, data_mode, tenant_id)
        left join named_user_id using (environment, data_mode, user_id)
        where {{ in_dates("event_date", past_dates) }}
        group by all
    ),

    costed as ({{ costed("crowded") }}),

    unalerted as ({{ unalerted("costed") }}),

    past_leaves as (
        select
            {{ day_scope }},
            false as is_current,
            unalerted.endpoint_tag,
            '(settled)' as prompt_version,
            coalesce(large_tenant_id.tenant_id, '(other)') as tenant_id,
            coalesce(large_user_id.user_id, '(other)') as user_id,
            unalerted.model,
            cast(0 as double) as exposure_usd,
            {% for measure in driver_measures() %}
                cast(sum({{ measure.sum }}) as double) as {{ measure.name }} {{- "," if not loop.last }}
            {% endfor %}
        from signal_days
        inner join unalerted using (environment, data_mode)
        left join large_tenant_id using ({{ day_scope }}, tenant_id)
        left join large_user_id using ({{ day_scope }}, user_id)
        where unalerted.event_date between signal_days.signal_date - 28 and signal_days.signal_date - 1
        group by all
    ),

    -- a version counts as new on its first three days
    settled_versions as (
        select distinct
            {{ day_scope }},
            split_part(scope_value, ' | ', 1) as endpoint_tag,
            split_part(scope_value, ' | ', 2) as prompt_version
        from signal_days
        inner join {{ ref("int_watched_series") }} as versions using (environment, data_mode)
        where
            versions.scope_dimension = 'endpoint x prompt_version'
            and versions.event_date between signal_days.signal_date - 28 and signal_days.signal_date - 4
    ),

    current_leaves as (
        select
            {{ day_scope }},
            true as is_current,
            today.endpoint_tag,
            case
                when settled_versions.signal_date is null and today.prompt_version <> '(unattributed)'
                then today.prompt_version
                else '(settled)'
            end as prompt_version,
            coalesce(large_tenant_id.tenant_id, '(other)') as tenant_id,
            coalesce(large_user_id.user_id, '(other)') as user_id,
            today.model,
            cast(sum(exposure_usd) as double) as exposure_usd,
            {% for measure in driver_measures() %}
                cast(sum({{ measure.sum }}) as double) as {{ measure.name }},
            {% endfor %}
        from today
        left join large_tenant_id using ({{ day_scope }}, tenant_id)
        left join large_user_id using ({{ day_scope }}, user_id)
        left join settled_versions using ({{ day_scope }}, endpoint_tag, prompt_version)
        group by all
    )

select signal_date as event_date, * exclude (signal_date)
from
    (
        select *
        from current_leaves
        union all
        select *
        from past_leaves
    )
