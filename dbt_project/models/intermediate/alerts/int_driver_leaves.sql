{{ kept_by_date("alert_signal_days") }}
-- For each effect, a pair of dollars, seen and expected, conditional on today's
-- traffic: so the noise of one effect does not drown another. `cost` is the plain pair,
-- by which a driver's share of a series is measured; `input`, `cache` and `output` are
-- the parts of `token`.
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set day_scope = "event_date, environment, data_mode" %}
{%- set segment = day_scope ~ ", endpoint_tag, tenant_id, user_id" %}
with
    past_leaves as (select * from {{ ref("int_driver_past") }} where {{ in_dates("event_date", dates) }}),

    current_leaves as (select * from {{ ref("int_driver_today") }} where {{ in_dates("event_date", dates) }}),

    rates as (select * from {{ ref("int_driver_rates") }} where {{ in_dates("event_date", dates) }}),

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
    )
    {#- of today's calls: dollars seen and expected, and the dollars that arrive at once -#}
    {%- set pairs = {
        "retry": (
            "attempts * usd_per_attempt",
            "requests * attempts_per_request * usd_per_attempt",
            "usd_per_request * greatest(attempts_per_request - 1, "
            ~ alert_parameter("smallest_retry_rate")
            ~ ")",
        ),
        "token": ("usd_at_former_prices", "usual_usd", "usd_per_call"),
        "input": ("input_at_former_shares_usd", "usual_input_usd", "usd_per_call"),
        "cache": (
            "input_usd",
            "input_at_former_shares_usd",
            "usd_per_call * " ~ alert_parameter("dispersion_of_cache"),
        ),
        "output": ("output_usd", "usual_output_usd", "usd_per_call"),
    } %}

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
    cast(0 as double) as exposure_usd,
    cast(0 as double) as lost_cache_reads
from volume
{% for effect, dollars in pairs.items() %}
    union all
    select
        {{ day_scope }},
        '{{ effect }}',
        endpoint_tag,
        prompt_version,
        tenant_id,
        user_id,
        model,
        {{ dollars[0] }},
        {{ dollars[1] }},
        {{ dollars[2] }},
        0,
        {{ "usual_cache_reads - cache_reads" if effect == "cache" else 0 }}
    from {{ ref("int_driver_valued") }}
    where {{ in_dates("event_date", dates) }}
{% endfor %}
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
    0,
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
    coalesce(costs.exposure_usd, 0),
    0
from costs
inner join rates using ({{ day_scope }}, endpoint_tag)
