{{ kept_by_date("alert_signal_days") }}
-- For each effect, a pair of dollars, seen and expected, conditional on today's
-- traffic: so the noise of one effect does not drown another. `cost` is the plain pair,
-- by which a driver's share of a series is measured.
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set day_scope = "event_date, environment, data_mode" %}
{%- set segment = day_scope ~ ", endpoint_tag, tenant_id, user_id" %}
with
    past_leaves as (select * from {{ ref("int_driver_past") }} where {{ in_dates("event_date", dates) }}),

    current_leaves as (select * from {{ ref("int_driver_today") }} where {{ in_dates("event_date", dates) }}),

    rates as (select * from {{ ref("int_driver_rates") }} where {{ in_dates("event_date", dates) }}),

    routes as (select * from {{ ref("int_driver_routes") }} where {{ in_dates("event_date", dates) }}),

    counted as (
        select {{ segment }}, today.requests, past.requests as past_requests
        from (select {{ segment }}, sum(requests) as requests from current_leaves group by all) as today
        full join
            (select {{ segment }}, sum(requests) as requests from past_leaves group by all) as past using (
                {{ segment }}
            )
    ),

    volume as (
        select
            {{ segment }},
            coalesce(sum(requests), 0) * any_value(rates.usd_per_request) as actual_usd,
            coalesce(sum(past_requests), 0) * any_value(rates.scale) * any_value(rates.usd_per_request) as expected_usd,
            any_value(rates.usd_per_request) as usd_per_unit
        from counted
        inner join rates using ({{ day_scope }}, endpoint_tag)
        group by {{ segment }}
    ),

    costs as (
        select {{ segment }}, prompt_version, model, today.usd, today.exposure_usd, past.usd as past_usd
        from current_leaves as today
        full join
            (select *, '(settled)' as prompt_version from past_leaves) as past using (
                {{ segment }}, prompt_version, model
            )
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
        inner join rates using ({{ day_scope }}, endpoint_tag)
        left join routes using ({{ day_scope }}, endpoint_tag, model)
    )

select
    {{ day_scope }},
    'volume' as effect,
    endpoint_tag,
    cast(null as {{ dbt.type_string() }}) as prompt_version,
    tenant_id,
    user_id,
    cast(null as {{ dbt.type_string() }}) as model,
    actual_usd,
    expected_usd,
    usd_per_unit,
    cast(0 as double) as exposure_usd
from volume
union all
select
    {{ day_scope }},
    'retry',
    endpoint_tag,
    prompt_version,
    tenant_id,
    user_id,
    model,
    attempts * tokens_per_attempt_before * usd_per_token_before,
    requests * attempts_per_request * tokens_per_attempt_before * usd_per_token_before,
    -- attempts after the first are few, so their number varies little
    usd_per_request * greatest(attempts_per_request - 1, {{ alert_parameter("smallest_retry_rate") }}),
    0
from priced
union all
select
    {{ day_scope }},
    'token',
    endpoint_tag,
    prompt_version,
    tenant_id,
    user_id,
    model,
    tokens * usd_per_token_before,
    attempts * tokens_per_attempt_before * usd_per_token_before,
    usd_per_call,
    0
from priced
union all
select
    {{ day_scope }},
    'price_mix',
    endpoint_tag,
    prompt_version,
    tenant_id,
    null,
    model,
    actual_usd,
    expected_usd,
    usd_per_unit,
    0
from {{ ref("int_driver_mix") }}
where {{ in_dates("event_date", dates) }}
union all
select
    {{ day_scope }},
    'cost',
    endpoint_tag,
    coalesce(costs.prompt_version, '(settled)'),
    tenant_id,
    user_id,
    model,
    coalesce(costs.usd, 0),
    coalesce(costs.past_usd * rates.scale, 0),
    rates.usd_per_call,
    coalesce(costs.exposure_usd, 0)
from costs
inner join rates using ({{ day_scope }}, endpoint_tag)
