{{ kept_by_date("request_days") }}
{%- set dirty = dirty_dates() %}
{%- set request_key = "source, environment, data_mode, request_id, request_date" %}
{%- set attempts %}
    select *
    from {{ ref("fct_attempts") }}
    where
        {{ in_dates("request_date", dirty) }}
        and {{ in_dates("event_date", with_neighbours(dirty, 0, identity_window_days())) }}
{%- endset %}
with
    last_tries as ({{ attempts }} and is_last_try),

    tried_again as ({{ attempts }} and not (is_first_try and is_last_try)),

    -- most requests are one attempt and need no grouping
    sums as (
        select
            {{ request_key }},
            count(*) as attempts,
            {{ sum_of_counts("input_tokens") }} as input_tokens,
            {{ sum_of_counts("output_tokens") }} as output_tokens,
            cast(sum(cost_usd) as decimal(38, 12)) as cost_usd,
            {{ part_of_cost("not is_last_try") }} as retry_cost_usd,
            cast(sum(reported_cost_usd) as decimal(38, 12)) as reported_cost_usd,
            cast(sum(case when pricing_status = 'unpriced' then 1 else 0 end) as bigint) as unpriced_attempts,
            cast(sum(case when pricing_status = 'no_usage' then 1 else 0 end) as bigint) as no_usage_attempts,
            sum(latency_ms) as latency_ms,
            min(occurred_at) as first_occurred_at,
            max(occurred_at) as last_occurred_at
        from tried_again
        group by {{ request_key }}
    )

select
    -- keys
    last_try.request_id,
    last_try.source,
    -- dimensions, as the last attempt had them
    last_try.environment,
    last_try.data_mode,
    last_try.endpoint_tag,
    last_try.prompt_version,
    last_try.feature_tag,
    last_try.tenant_id,
    last_try.user_id,
    last_try.provider,
    last_try.model,
    last_try.billing_account_id,
    last_try.sub_account_id,
    last_try.api_key_id,
    last_try.trace_id,
    last_try.status as final_status,
    -- quantities, over all attempts
    coalesce(sums.attempts, 1) as attempts,
    case when sums.attempts is null then last_try.input_tokens else sums.input_tokens end as input_tokens,
    case when sums.attempts is null then last_try.output_tokens else sums.output_tokens end as output_tokens,
    case when sums.attempts is null then last_try.cost_usd else sums.cost_usd end as cost_usd,
    case when sums.attempts is null then 0 else sums.retry_cost_usd end as retry_cost_usd,
    case
        when sums.attempts is null then last_try.reported_cost_usd else sums.reported_cost_usd
    end as reported_cost_usd,
    coalesce(
        sums.unpriced_attempts, cast(cast(last_try.pricing_status = 'unpriced' as integer) as bigint)
    ) as unpriced_attempts,
    coalesce(
        sums.no_usage_attempts, cast(cast(last_try.pricing_status = 'no_usage' as integer) as bigint)
    ) as no_usage_attempts,
    case when sums.attempts is null then last_try.latency_ms else sums.latency_ms end as latency_ms,
    -- times
    last_try.request_date as event_date,
    coalesce(sums.first_occurred_at, last_try.occurred_at) as first_occurred_at,
    coalesce(sums.last_occurred_at, last_try.occurred_at) as last_occurred_at,
    last_try.load_id
from last_tries as last_try
left join
    sums
    on last_try.source = sums.source
    and last_try.environment = sums.environment
    and last_try.data_mode = sums.data_mode
    and last_try.request_id = sums.request_id
    and last_try.request_date = sums.request_date
