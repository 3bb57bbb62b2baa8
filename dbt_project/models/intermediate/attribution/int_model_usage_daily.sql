{{ kept_by_date("attempt_days") }}
-- Which endpoint used which model, and how much of that has no price: small, so that
-- questions about models never scan the fact.
select
    event_date,
    environment,
    data_mode,
    endpoint_tag,
    provider,
    model,
    cast(sum(cast(is_first_try as integer)) as bigint) as requests,
    count(*) as attempts,
    cast(sum(case when pricing_status = 'priced' then 1 else 0 end) as bigint) as priced_attempts,
    cast(sum(case when pricing_status = 'unpriced' then 1 else 0 end) as bigint) as unpriced_attempts,
    cast(sum(case when pricing_status = 'unpriced' and is_first_try then 1 else 0 end) as bigint) as unpriced_requests,
    cast(sum(case when pricing_status = 'unpriced' then input_tokens end) as decimal(38, 0)) as unpriced_input_tokens,
    cast(sum(case when pricing_status = 'unpriced' then output_tokens end) as decimal(38, 0)) as unpriced_output_tokens,
    cast(max(case when pricing_status = 'unpriced' then input_tokens end) as bigint) as unpriced_largest_input_tokens,
    {%- for kind in token_kinds() %}
        cast(
            sum(case when pricing_status = 'unpriced' then {{ kind.quantity }} end) as decimal(38, 0)
        ) as unpriced_{{ kind.quantity }},
    {%- endfor %}
    cast(
        sum(case when pricing_status = 'unpriced' then reported_cost_usd end) as decimal(38, 12)
    ) as unpriced_reported_cost_usd
from {{ ref("fct_attempts") }}
where {{ in_dates("event_date", dirty_dates()) }}
group by event_date, environment, data_mode, endpoint_tag, provider, model
