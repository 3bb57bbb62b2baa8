{{ config(materialized="view") }}
{%- set counts = [
    "requests",
    "attempts",
    "duplicate_deliveries",
    "conflicting_deliveries",
    "priced_attempts",
    "unpriced_attempts",
    "no_usage_attempts",
    "unpriced_requests",
    "standard_rate_attempts",
    "other_tier_attempts",
    "estimated_attempts",
    "missing_usage_attempts",
    "future_attempts",
] %}
with
    attempts as (select * from {{ ref("int_quality_daily") }}),

    -- each sender's days from its first to that of the run: one without a call is a row
    -- of zeros
    senders as (
        select {{ sender_columns() }}, min(event_date) as first_date
        from attempts
        where event_date <= cast({{ as_of() }} as date)
        group by {{ sender_columns() }}
    ),

    calendar as (
        select
            {{ sender_columns() }},
            cast(unnest(generate_series(first_date, cast({{ as_of() }} as date), interval 1 day)) as date) as event_date
        from senders
    ),

    days as (
        select event_date, {{ sender_columns() }}
        from calendar
        union
        select event_date, {{ sender_columns() }}
        from attempts
    ),

    counted as (select * from days left join attempts using (event_date, {{ sender_columns() }})),

    silent_days as (
        select event_date, {{ sender_columns() }}, sum(missing_calls) as missing_calls, true as is_silent
        from {{ ref("int_source_silent_days") }}
        group by event_date, {{ sender_columns() }}
    ),

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
    ),

    -- what a gateway or tracer wrote that is not a call, on the day it arrived
    skips as (
        select arrival_date as event_date, source, cast(sum(rows_skipped) as bigint) as skipped_rows
        from {{ ref("stg_loads") }}
        where rows_skipped > 0
        group by arrival_date, source
    ),

    refused as (
        select event_date, source, rejected_rows, negative_remainder_rows, skipped_rows
        from rejects
        full join skips using (event_date, source)
    )

select
    event_date,
    source,
    environment,
    data_mode,
    {% for count in counts %} coalesce({{ count }}, 0) as {{ count }}, {% endfor %}
    cast(0 as bigint) as rejected_rows,
    cast(0 as bigint) as negative_remainder_rows,
    cast(0 as bigint) as skipped_rows,
    coalesce(is_silent, false) as is_silent,
    missing_calls,
    coalesce(unpriced_attempts > 0 or missing_usage_attempts > 0, false)
    or coalesce(is_silent, false) as is_understated,
    {{ is_complete_day("event_date") }} as is_complete,
    cost_usd,
    reported_cost_usd
from counted
left join silent_days using (event_date, {{ sender_columns() }})

union all

select
    event_date,
    source,
    '(unattributed)' as environment,
    '(unattributed)' as data_mode,
    {% for count in counts %} 0 as {{ count }}, {% endfor %}
    coalesce(rejected_rows, 0) as rejected_rows,
    coalesce(negative_remainder_rows, 0) as negative_remainder_rows,
    coalesce(skipped_rows, 0) as skipped_rows,
    false as is_silent,
    cast(null as double) as missing_calls,
    -- a refused event of an incident is not a call: no cost is missing for it
    coalesce(rejected_rows, 0) > 0 and {{ is_usage() }} as is_understated,
    {{ is_complete_day("event_date") }} as is_complete,
    cast(null as decimal(38, 12)) as cost_usd,
    cast(null as decimal(38, 12)) as reported_cost_usd
from refused
