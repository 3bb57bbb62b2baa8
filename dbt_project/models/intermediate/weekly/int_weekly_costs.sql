-- Calls and cost of each week, weeks without calls among them.
{%- set counts = [
    "days_with_usage",
    "requests",
    "attempts",
    "unpriced_attempts",
    "no_usage_attempts",
    "duplicate_deliveries",
    "conflicting_deliveries",
    "missing_usage_attempts",
] %}
with
    used as (
        select
            {{ monday_of("event_date") }} as week_start,
            environment,
            data_mode,
            count(distinct event_date) as days_with_usage,
            cast(sum(requests) as bigint) as requests,
            cast(sum(attempts) as bigint) as attempts,
            cast(sum(cost_usd) as decimal(38, 12)) as spend_usd,
            cast(sum(estimated_cost_usd) as decimal(38, 12)) as estimated_cost_usd,
            cast(sum(reported_cost_usd) as decimal(38, 12)) as reported_cost_usd,
            cast(sum(unpriced_attempts) as bigint) as unpriced_attempts,
            cast(sum(no_usage_attempts) as bigint) as no_usage_attempts,
            cast(sum(duplicate_deliveries) as bigint) as duplicate_deliveries,
            cast(sum(conflicting_deliveries) as bigint) as conflicting_deliveries,
            cast(sum(missing_usage_attempts) as bigint) as missing_usage_attempts
        from {{ ref("int_quality_daily") }}
        -- not the days that have not come, as in drivers and exposure
        where attempts > future_attempts
        group by {{ monday_of("event_date") }}, environment, data_mode
    ),

    silences as (
        select
            {{ monday_of("event_date") }} as week_start,
            environment,
            data_mode,
            count(distinct event_date) as silent_days,
            -- what is usual for a sender in its first week is unknown
            case when bool_and(missing_calls is not null) then sum(missing_calls) end as missing_calls
        from {{ ref("int_source_silent_days") }}
        group by {{ monday_of("event_date") }}, environment, data_mode
    ),

    -- a week without calls is a week: those between active ones, the first after the
    -- last, those of a silence, and those in which a budget is exceeded all the same
    lived as (
        select environment, data_mode, min(week_start) as first_week, max(week_start) + 7 as last_week
        from used
        group by environment, data_mode
    ),

    rows_of_weeks as (
        select weeks.week_start, lived.environment, lived.data_mode
        from lived
        inner join {{ ref("int_weeks") }} as weeks on weeks.week_start between lived.first_week and lived.last_week
        union
        select week_start, environment, data_mode
        from silences
        union
        select week_start, environment, data_mode
        from {{ ref("int_weekly_budgets") }}
        where state <> 'ok' or environment = {{ all_environments() }}
    )

select
    listed.week_start,
    listed.environment,
    listed.data_mode,
    {% for count in counts %} coalesce(used.{{ count }}, 0) as {{ count }}, {% endfor %}
    -- no call cost nothing; what is missing is said next to it
    case
        when used.attempts is null and listed.environment <> {{ all_environments() }}
        then cast(0 as decimal(38, 12))
        else used.spend_usd
    end as spend_usd,
    -- of a spend that is known; nothing where no count is estimated
    case
        when used.spend_usd is not null or used.attempts is null and listed.environment <> {{ all_environments() }}
        then coalesce(used.estimated_cost_usd, 0)
    end as estimated_cost_usd,
    used.reported_cost_usd,
    coalesce(silences.silent_days, 0) as silent_days,
    case when silences.silent_days is null then 0 else silences.missing_calls end as missing_calls
from rows_of_weeks as listed
{% for other in ["used", "silences"] %}
    left join
        {{ other }}
        on listed.week_start = {{ other }}.week_start
        and listed.environment = {{ other }}.environment
        and listed.data_mode = {{ other }}.data_mode
{% endfor %}
