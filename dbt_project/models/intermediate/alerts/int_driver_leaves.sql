{{
    config(
        materialized="incremental",
        incremental_strategy="append",
        pre_hook="{{ forget_dirty_dates(ref('alert_signal_days')) }}",
        post_hook="{{ remember_built_dates(ref('alert_signal_days')) }}",
    )
}}
-- depends_on: {{ ref("alert_signal_days") }}
{%- set dates = dates_with_signals(dirty_dates(ref("alert_signal_days"))) %}
{%- set scope = "case_date, environment, data_mode" %}
{%- set dimensions = leaf_dimensions() | rejectattr("name", "equalto", "prompt_version") | list %}
{%- set measures = [
    {"name": "requests", "sum": "requests"},
    {"name": "attempts", "sum": "billed_attempts"},
    {"name": "tokens", "sum": "tokens"},
    {"name": "usd", "sum": "watched_usd"},
    {"name": "usd_squares", "sum": "watched_usd_squares"},
] %}
with
    cases as (
        select distinct event_date as case_date, environment, data_mode, usual_spend_usd
        from {{ ref("int_alert_signals") }}
        where {{ in_dates("event_date", dates) }} and observed > expected
    ),

    alerted as (select * from {{ ref("int_masked_days") }}),

    -- the past leaves out what was part of something alerted
    usage as (
        select usage.*
        from {{ ref("int_costed_usage") }} as usage
        {%- for dimension in dimensions %}
            left join
                alerted as alerted_{{ dimension.name }}
                on alerted_{{ dimension.name }}.scope_dimension = '{{ dimension.name }}'
                and usage.environment = alerted_{{ dimension.name }}.environment
                and usage.data_mode = alerted_{{ dimension.name }}.data_mode
                and usage.event_date = alerted_{{ dimension.name }}.event_date
                and usage.{{ dimension.column }} = alerted_{{ dimension.name }}.scope_value
        {%- endfor %}
        where
            {{ in_dates("usage.event_date", with_neighbours(dates, 28, 0)) }}
            and (
                {{ in_dates("usage.event_date", dates) }}
                or (
                    {%- for dimension in dimensions %}
                        alerted_{{ dimension.name }}.event_date is null {{ "and" if not loop.last }}
                    {%- endfor %}
                )
            )
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

    -- only who spends enough today can be a driver; the others are one crowd
    {% for column in ["tenant_id", "user_id"] %}
        large_{{ column }} as (
            select {{ scope }}, {{ column }}
            from today
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
            {% for measure in measures %} cast(sum({{ measure.sum }}) as double) as {{ measure.name }}, {% endfor %}
        from usage
        left join (select distinct environment, data_mode, tenant_id from large_tenant_id) as tenants using (environment, data_mode, tenant_id)
        left join (select distinct environment, data_mode, user_id from large_user_id) as users using (environment, data_mode, user_id)
        group by all
    ),

    past_leaves as (
        select
            {{ scope }},
            crowded.endpoint_tag,
            coalesce(large_tenant_id.tenant_id, '(other)') as tenant_id,
            coalesce(large_user_id.user_id, '(other)') as user_id,
            crowded.model,
            {% for measure in measures %} sum({{ measure.name }}) as {{ measure.name }}, {% endfor %}
        from cases
        inner join
            crowded using (environment, data_mode)
        left join large_tenant_id using ({{ scope }}, tenant_id)
        left join large_user_id using ({{ scope }}, user_id)
        where crowded.event_date between cases.case_date - 28 and cases.case_date - 1
        group by all
    ),

    -- a version counts as new on its first three days
    settled_versions as (
        select distinct
            {{ scope }}, split_part(scope_value, ' | ', 1) as endpoint_tag, split_part(scope_value, ' | ', 2) as prompt_version
        from cases
        inner join {{ ref("int_watched_series") }} as versions using (environment, data_mode)
        where versions.scope_dimension = 'endpoint x prompt_version' and versions.event_date between cases.case_date - 28 and cases.case_date - 4
    ),

    current_leaves as (
        select
            {{ scope }},
            today.endpoint_tag,
            case when settled_versions.case_date is null then today.prompt_version else '(settled)' end as prompt_version,
            coalesce(large_tenant_id.tenant_id, '(other)') as tenant_id,
            coalesce(large_user_id.user_id, '(other)') as user_id,
            today.model,
            cast(sum(exposure_usd) as double) as exposure_usd,
            {% for measure in measures %} cast(sum({{ measure.sum }}) as double) as {{ measure.name }}, {% endfor %}
        from today
        left join large_tenant_id using ({{ scope }}, tenant_id)
        left join large_user_id using ({{ scope }}, user_id)
        left join settled_versions using ({{ scope }}, endpoint_tag, prompt_version)
        group by all
    ),

    endpoint_days as (
        select
            {{ scope }},
            days.scope_value as endpoint_tag,
            count(*) as days,
            avg(case when extract('dayofweek' from days.event_date) = extract('dayofweek' from case_date) then days.requests end) as weekday_requests
        from cases
        inner join {{ ref("int_watched_series") }} as days using (environment, data_mode)
        left join
            alerted
            on alerted.scope_dimension = 'endpoint'
            and days.environment = alerted.environment
            and days.data_mode = alerted.data_mode
            and days.event_date = alerted.event_date
            and days.scope_value = alerted.scope_value
        where
            days.scope_dimension = 'endpoint'
            and days.event_date between cases.case_date - 28 and cases.case_date - 1
            and alerted.event_date is null
        group by all
    ),

    calendar as (
        select {{ scope }}, count(*) as days
        from cases
        inner join {{ ref("int_watched_series") }} as days using (environment, data_mode)
        where days.scope_dimension = 'total' and days.event_date between cases.case_date - 28 and cases.case_date - 1
        group by all
    ),

    alerted_days as (
        select {{ scope }}, scope_value as endpoint_tag, count(*) as days
        from cases
        inner join alerted using (environment, data_mode)
        where alerted.scope_dimension = 'endpoint' and alerted.event_date between cases.case_date - 28 and cases.case_date - 1
        group by all
    ),

    endpoints as (
        select
            {{ scope }},
            endpoint_tag,
            {% for measure in measures %} sum(past.{{ measure.name }}) as {{ measure.name }}, {% endfor %}
            greatest(any_value(calendar.days) - coalesce(any_value(alerted_days.days), 0), 1) as days
        from past_leaves as past
        inner join calendar using ({{ scope }})
        left join alerted_days using ({{ scope }}, endpoint_tag)
        group by {{ scope }}, endpoint_tag
    ),

    same_weekday as (select {{ scope }}, endpoint_tag, weekday_requests as requests from endpoint_days where weekday_requests > 0),

    endpoint_today as (
        select {{ scope }}, endpoint_tag, sum(requests) as requests, sum(usd) as usd, sum(usd_squares) as usd_squares
        from current_leaves
        group by {{ scope }}, endpoint_tag
    ),

    -- all endpoints together grow or shrink: that is nobody's incident
    growth as (
        select
            {{ scope }},
            median(endpoint_today.requests / nullif(coalesce(same_weekday.requests, endpoints.requests / endpoints.days), 0)) as factor
        from endpoint_today
        inner join endpoints using ({{ scope }}, endpoint_tag)
        left join same_weekday using ({{ scope }}, endpoint_tag)
        group by {{ scope }}
    ),

    rates as (
        select
            {{ scope }},
            endpoint_tag,
            coalesce(same_weekday.requests / nullif(endpoints.requests / endpoints.days, 0), 1)
            * greatest(0.3, least(3, coalesce(growth.factor, 1)))
            / endpoints.days as scale,
            coalesce(endpoints.usd / nullif(endpoints.requests, 0), today.usd / nullif(today.requests, 0), 0) as usd_per_request,
            coalesce(endpoints.attempts / nullif(endpoints.requests, 0), 1) as attempts_per_request,
            coalesce(endpoints.tokens / nullif(endpoints.attempts, 0), 0) as tokens_per_attempt,
            coalesce(endpoints.usd / nullif(endpoints.tokens, 0), 0) as usd_per_token,
            endpoints.tokens as past_tokens,
            greatest(
                coalesce(endpoints.usd_squares / nullif(endpoints.usd, 0), 0), coalesce(today.usd_squares / nullif(today.usd, 0), 0)
            ) as usd_per_call
        from endpoint_today as today
        full join endpoints using ({{ scope }}, endpoint_tag)
        left join same_weekday using ({{ scope }}, endpoint_tag)
        left join growth using ({{ scope }})
    ),

    routes as (
        select
            {{ scope }},
            endpoint_tag,
            model,
            sum(past.tokens) / nullif(sum(past.attempts), 0) as tokens_per_attempt,
            sum(past.usd) / nullif(sum(past.tokens), 0) as usd_per_token,
            sum(past.tokens) / nullif(any_value(rates.past_tokens), 0) as share_of_tokens
        from past_leaves as past
        inner join rates using ({{ scope }}, endpoint_tag)
        group by {{ scope }}, endpoint_tag, model
    ),

    volume as (
        select
            {{ scope }},
            endpoint_tag,
            tenant_id,
            user_id,
            coalesce(sum(today.requests), 0) * any_value(rates.usd_per_request) as actual_usd,
            coalesce(sum(past.requests), 0) * any_value(rates.scale) * any_value(rates.usd_per_request) as expected_usd,
            any_value(rates.usd_per_request) as usd_per_unit
        from (select {{ scope }}, endpoint_tag, tenant_id, user_id, sum(requests) as requests from current_leaves group by all) as today
        full join
            (select {{ scope }}, endpoint_tag, tenant_id, user_id, sum(requests) as requests from past_leaves group by all) as past
            using ({{ scope }}, endpoint_tag, tenant_id, user_id)
        inner join rates using ({{ scope }}, endpoint_tag)
        group by {{ scope }}, endpoint_tag, tenant_id, user_id
    ),

    priced as (
        select
            today.*,
            rates.usd_per_call,
            rates.usd_per_request,
            rates.attempts_per_request,
            coalesce(routes.tokens_per_attempt, rates.tokens_per_attempt) as tokens_per_attempt_before,
            coalesce(routes.usd_per_token, rates.usd_per_token) as usd_per_token_before
        from current_leaves as today
        inner join rates using ({{ scope }}, endpoint_tag)
        left join routes using ({{ scope }}, endpoint_tag, model)
    ),

    groups as (
        select {{ scope }}, endpoint_tag, prompt_version, tenant_id, sum(tokens) as tokens from current_leaves group by all
    ),

    models_of_endpoints as (
        select {{ scope }}, endpoint_tag, model from routes union select {{ scope }}, endpoint_tag, model from current_leaves
    ),

    price_mix as (
        select
            {{ scope }},
            endpoint_tag,
            prompt_version,
            tenant_id,
            model,
            coalesce(today.usd, 0) as actual_usd,
            groups.tokens * coalesce(routes.share_of_tokens * routes.usd_per_token, 0) as expected_usd,
            rates.usd_per_call as usd_per_unit
        from groups
        inner join models_of_endpoints using ({{ scope }}, endpoint_tag)
        inner join rates using ({{ scope }}, endpoint_tag)
        left join routes using ({{ scope }}, endpoint_tag, model)
        left join
            (select {{ scope }}, endpoint_tag, prompt_version, tenant_id, model, sum(usd) as usd from current_leaves group by all) as today
            using ({{ scope }}, endpoint_tag, prompt_version, tenant_id, model)
    )

select
    case_date as event_date,
    environment,
    data_mode,
    'volume' as effect,
    endpoint_tag,
    cast(null as varchar) as prompt_version,
    tenant_id,
    user_id,
    cast(null as varchar) as model,
    actual_usd,
    expected_usd,
    usd_per_unit,
    cast(0 as double) as exposure_usd
from volume
union all
select
    {{ scope }}, 'retry', endpoint_tag, prompt_version, tenant_id, user_id, model,
    attempts * tokens_per_attempt_before * usd_per_token_before,
    requests * attempts_per_request * tokens_per_attempt_before * usd_per_token_before,
    -- tries after the first are few, so their number varies little
    usd_per_request * greatest(attempts_per_request - 1, 0.05), 0
from priced
union all
select
    {{ scope }}, 'token', endpoint_tag, prompt_version, tenant_id, user_id, model,
    tokens * usd_per_token_before,
    attempts * tokens_per_attempt_before * usd_per_token_before,
    usd_per_call, 0
from priced
union all
select {{ scope }}, 'price_mix', endpoint_tag, prompt_version, tenant_id, null, model, actual_usd, expected_usd, usd_per_unit, 0
from price_mix
union all
select
    {{ scope }}, 'cost', endpoint_tag, coalesce(today.prompt_version, '(settled)'), tenant_id, user_id, model,
    coalesce(today.usd, 0), coalesce(past.usd * rates.scale, 0), rates.usd_per_call, coalesce(today.exposure_usd, 0)
from current_leaves as today
full join
    (select *, '(settled)' as prompt_version from past_leaves) as past
    using ({{ scope }}, endpoint_tag, prompt_version, tenant_id, user_id, model)
inner join rates using ({{ scope }}, endpoint_tag)
