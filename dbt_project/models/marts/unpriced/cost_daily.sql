{{ kept_by_date("cost_days") }}
-- Every measure by every dimension but the user. The exposure is that of
-- `unpriced_models`, at the same rates, split by row.
{%- set described = ["region", "processing", "service_tier"] %}
{%- set cell = [
    "event_date",
    "environment",
    "data_mode",
    "provider",
    "model",
    "endpoint_tag",
    "prompt_version",
    "feature_tag",
    "tenant_id",
    "billing_account_id",
] + described %}
{%- set attempts %}
    select
        * exclude ({{ described | join(", ") }}),
        {% for column in described %} coalesce({{ column }}, '(unattributed)') as {{ column }}, {% endfor %}
        pricing_status = 'priced' as is_priced
    from {{ ref("fct_attempts") }}
    where {{ in_dates("event_date", dirty_dates()) }}
{%- endset %}
{%- set quantiles = ["_low", "", "_high"] %}
with
    attempts as ({{ attempts }}),

    other_rates as (select * from {{ ref("int_other_rates") }} where {{ in_dates("event_date", dirty_dates()) }}),

    measured as (
        select
            {{ cell | join(", ") }},
            {{ cost_measures() }},
            {{ sum_of_counts("total_tokens") }} as total_tokens,
            {{ sum_of_counts("cache_write_tokens") }} as cache_write_tokens,
            {%- for kind in token_kinds() if kind.quantity != "reasoning_tokens" %}
                {{ sum_of_counts(kind.quantity) }} as {{ kind.quantity }},
            {%- endfor %}
            -- where a call has no price, parts of its cost may be known: like the cost,
            -- they are not counted
            {%- for column in cost_columns() %}
                cast(sum(case when is_priced then {{ column }} end) as decimal(38, 12)) as {{ column }},
            {%- endfor %}
            cast(sum(cache_savings_usd) as decimal(38, 12)) as cache_savings_usd,
            cast(sum(cache_write_premium_usd) as decimal(38, 12)) as cache_write_premium_usd,
            -- 0 for calls that paid the usual rate, unknown where the other one is
            cast(
                sum(case when is_priced and processing <> 'batch' then 0 else batch_savings_usd end) as decimal(38, 12)
            ) as batch_savings_usd,
            cast(
                sum(
                    case when is_priced and price_tier_from_tokens = 0 then 0 else long_input_premium_usd end
                ) as decimal(38, 12)
            ) as long_input_premium_usd
        from attempts
        left join other_rates using (event_date, source, environment, data_mode, attempt_key)
        group by {{ cell | join(", ") }}
    ),

    unpriced as (
        select {{ cell | join(", ") }}, {{ unpriced_quantities() }}
        from ({{ attempts }}) as attempts
        where pricing_status = 'unpriced'
        group by {{ cell | join(", ") }}
    ),

    exposed as (
        select
            {% for column in cell %} unpriced.{{ column }}, {% endfor %}
            {%- for suffix in quantiles %}
                {{ exposure_of("unpriced", "exposure", suffix) }}
                as exposure_usd{{ suffix }} {{- "," if not loop.last }}
            {%- endfor %}
        from unpriced
        left join {{ ref("int_exposure") }} as exposure using (environment, data_mode, provider, model)
    )

select
    -- dimensions
    {% for column in cell %} measured.{{ column }}, {% endfor %}
    coalesce(owners.owner, '(unattributed)') as owner,
    {{ is_complete_day("measured.event_date") }} as is_complete,
    -- quantities
    measured.requests,
    measured.successful_requests,
    measured.attempts,
    measured.successes,
    measured.errors,
    measured.unpriced_attempts,
    measured.no_usage_attempts,
    measured.approximate_attempts,
    measured.input_tokens,
    measured.output_tokens,
    measured.total_tokens,
    measured.cache_read_tokens,
    measured.cache_write_tokens,
    {% for kind in token_kinds() %} measured.{{ kind.quantity }}, {% endfor %}
    -- money
    {% for column in cost_columns() %} measured.{{ column }}, {% endfor %}
    measured.cost_usd,
    measured.retry_cost_usd,
    measured.estimated_cost_usd,
    measured.approximate_cost_usd,
    measured.reported_cost_usd,
    measured.cache_savings_usd,
    measured.cache_write_premium_usd,
    measured.batch_savings_usd,
    measured.long_input_premium_usd,
    {% for suffix in quantiles %}
        case
            when measured.unpriced_attempts = 0 then cast(0 as decimal(38, 12)) else exposed.exposure_usd{{ suffix }}
        end as exposure_usd{{ suffix }} {{- "," if not loop.last }}
    {% endfor %}
from measured
left join exposed using ({{ cell | join(", ") }})
left join {{ ref("stg_endpoint_owners") }} as owners on measured.endpoint_tag = owners.endpoint_tag
