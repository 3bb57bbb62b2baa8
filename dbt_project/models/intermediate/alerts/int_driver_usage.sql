{{ kept_by_signal_day() }}
-- Both sides of a day with a signal, by leaf: the day itself and the 28 days before it.
{%- set dates = dates_with_signals(dirty_dates(ref("alert_signal_days"))) %}
{%- set scope = "case_date, environment, data_mode" %}
with
    cases as (
        select distinct event_date as case_date, environment, data_mode, usual_spend_usd
        from {{ ref("int_alert_signals") }}
        where {{ in_dates("event_date", dates) }} and observed > expected
    ),

    usage as (
        select * from {{ ref("int_unalerted_usage") }} where {{ in_dates("event_date", with_neighbours(dates, 28, 0)) }}
    ),

    today as (
        select cases.*, usage.* exclude (event_date, environment, data_mode)
        from cases
        inner join
            {{ ref("int_costed_usage") }} as usage
            on cases.environment = usage.environment
            and cases.data_mode = usage.data_mode
            and cases.case_date = usage.event_date
    ),

    -- only who has a name and spends enough today can be a driver; the others are one crowd
    {% for column in ["tenant_id", "user_id"] %}
        large_{{ column }} as (
            select {{ scope }}, {{ column }}
            from today
            where {{ column }} <> '(unattributed)'
            group by {{ scope }}, {{ column }}, usual_spend_usd
            having sum(watched_usd) >= greatest(0.005 * usual_spend_usd, 0.1)
        ),
    {% endfor %}

    crowded as (
        select
            usage.event_date,
            usage.environment,
            usage.data_mode,
            usage.endpoint_tag,
            coalesce(tenants.tenant_id, '(other)') as tenant_id,
            coalesce(users.user_id, '(other)') as user_id,
            usage.model,
            {% for measure in driver_measures() %}
                cast(sum({{ measure.sum }}) as double) as {{ measure.name }},
            {% endfor %}
        from usage
        left join
            (select distinct environment, data_mode, tenant_id from large_tenant_id) as tenants using (
                environment, data_mode, tenant_id
            )
        left join
            (select distinct environment, data_mode, user_id from large_user_id) as users using (
                environment, data_mode, user_id
            )
        group by all
    ),

    past_leaves as (
        select
            {{ scope }},
            crowded.endpoint_tag,
            coalesce(large_tenant_id.tenant_id, '(other)') as tenant_id,
            coalesce(large_user_id.user_id, '(other)') as user_id,
            crowded.model,
            {% for measure in driver_measures() %} sum({{ measure.name }}) as {{ measure.name }}, {% endfor %}
        from cases
        inner join crowded using (environment, data_mode)
        left join large_tenant_id using ({{ scope }}, tenant_id)
        left join large_user_id using ({{ scope }}, user_id)
        where crowded.event_date between cases.case_date - 28 and cases.case_date - 1
        group by all
    ),

    -- a version counts as new on its first three days
    settled_versions as (
        select distinct
            {{ scope }},
            split_part(scope_value, ' | ', 1) as endpoint_tag,
            split_part(scope_value, ' | ', 2) as prompt_version
        from cases
        inner join {{ ref("int_watched_series") }} as versions using (environment, data_mode)
        where
            versions.scope_dimension = 'endpoint x prompt_version'
            and versions.event_date between cases.case_date - 28 and cases.case_date - 4
    ),

    current_leaves as (
        select
            {{ scope }},
            today.endpoint_tag,
            case
                when settled_versions.case_date is null and today.prompt_version <> '(unattributed)'
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
        left join large_tenant_id using ({{ scope }}, tenant_id)
        left join large_user_id using ({{ scope }}, user_id)
        left join settled_versions using ({{ scope }}, endpoint_tag, prompt_version)
        group by all
    )

select
    case_date as event_date,
    environment,
    data_mode,
    true as is_current,
    endpoint_tag,
    prompt_version,
    tenant_id,
    user_id,
    model,
    exposure_usd,
    {% for measure in driver_measures() %} {{ measure.name }} {{- "," if not loop.last }} {% endfor %}
from current_leaves
union all
select
    case_date,
    environment,
    data_mode,
    false,
    endpoint_tag,
    '(settled)',
    tenant_id,
    user_id,
    model,
    0,
    {% for measure in driver_measures() %} {{ measure.name }} {{- "," if not loop.last }} {% endfor %}
from past_leaves
