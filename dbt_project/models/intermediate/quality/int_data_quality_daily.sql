{{ config(materialized="view") }}
with
    attempts as (select * from {{ ref("int_quality_daily") }}),

    -- a rejected line has no date, environment or data mode to be trusted: it is
    -- counted on the day it arrived
    rejects as (
        select
            arrival_date as event_date,
            source,
            count(*) as rejected_rows,
            cast(
                sum(case when reason_code = 'parts_exceed_total' then 1 else 0 end) as bigint
            ) as negative_remainder_rows
        from {{ ref("int_rejects") }}
        group by arrival_date, source
    )

select
    event_date,
    source,
    environment,
    data_mode,
    requests,
    attempts,
    duplicate_deliveries,
    conflicting_deliveries,
    priced_attempts,
    unpriced_attempts,
    no_usage_attempts,
    unpriced_requests,
    standard_rate_attempts,
    other_tier_attempts,
    estimated_attempts,
    missing_usage_attempts,
    future_attempts,
    cast(0 as bigint) as rejected_rows,
    cast(0 as bigint) as negative_remainder_rows,
    unpriced_attempts > 0 or missing_usage_attempts > 0 as is_understated,
    {{ is_complete_day("event_date") }} as is_complete,
    cost_usd,
    reported_cost_usd
from attempts

union all

select
    event_date,
    source,
    '(unattributed)' as environment,
    '(unattributed)' as data_mode,
    0 as requests,
    0 as attempts,
    0 as duplicate_deliveries,
    0 as conflicting_deliveries,
    0 as priced_attempts,
    0 as unpriced_attempts,
    0 as no_usage_attempts,
    0 as unpriced_requests,
    0 as standard_rate_attempts,
    0 as other_tier_attempts,
    0 as estimated_attempts,
    0 as missing_usage_attempts,
    0 as future_attempts,
    rejected_rows,
    negative_remainder_rows,
    -- a refused event of an incident is not a call: no cost is missing for it
    source in {{ usage_sources() }} as is_understated,
    {{ is_complete_day("event_date") }} as is_complete,
    cast(null as decimal(38, 12)) as cost_usd,
    cast(null as decimal(38, 12)) as reported_cost_usd
from rejects
