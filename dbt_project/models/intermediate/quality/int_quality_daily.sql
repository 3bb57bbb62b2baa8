{{ kept_by_date("attempt_days") }}
select
    event_date,
    source,
    environment,
    data_mode,
    count(*) as attempts,
    cast(sum(cast(is_first_try as integer)) as bigint) as requests,
    cast(sum(duplicate_deliveries) as bigint) as duplicate_deliveries,
    cast(sum(conflicting_deliveries) as bigint) as conflicting_deliveries,
    {%- for status in ["priced", "unpriced", "no_usage"] %}
        cast(sum(case when pricing_status = '{{ status }}' then 1 else 0 end) as bigint) as {{ status }}_attempts,
    {%- endfor %}
    cast(sum(case when pricing_status = 'unpriced' and is_first_try then 1 else 0 end) as bigint) as unpriced_requests,
    cast(
        sum(case when pricing_status = 'priced' and missing_variant is not null then 1 else 0 end) as bigint
    ) as standard_rate_attempts,
    cast(sum(case when requested_service_tier <> service_tier then 1 else 0 end) as bigint) as other_tier_attempts,
    cast(sum(case when usage_source = 'estimate' then 1 else 0 end) as bigint) as estimated_attempts,
    cast(
        sum(case when usage_source = 'missing' and status = 'success' then 1 else 0 end) as bigint
    ) as missing_usage_attempts,
    cast(sum(cast(is_future as integer)) as bigint) as future_attempts,
    cast(sum(cost_usd) as decimal(38, 12)) as cost_usd,
    cast(sum(case when usage_source = 'estimate' then cost_usd end) as decimal(38, 12)) as estimated_cost_usd,
    cast(sum(reported_cost_usd) as decimal(38, 12)) as reported_cost_usd
from {{ ref("fct_attempts") }}
where {{ in_dates("event_date", dirty_dates()) }}
group by event_date, source, environment, data_mode
