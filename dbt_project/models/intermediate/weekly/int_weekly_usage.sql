-- Usage and cost of each week, and how far they can be trusted.
{%- set effects = ["volume", "mix", "retry", "token", "price"] %}
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
    ),

    costs as (
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
            used.estimated_cost_usd,
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
    ),

    exposures as (
        select
            event_date as week_start,
            environment,
            data_mode,
            case when sum(unvalued_attempts) = 0 then cast(sum(exposure_usd) as decimal(38, 12)) end as exposure_usd
        from {{ ref("int_weekly_leaves") }}
        group by event_date, environment, data_mode
    ),

    effects as (
        select
            event_date as week_start,
            environment,
            data_mode,
            {% for effect in effects %}
                cast(
                    sum(
                        case
                            when effect in ({{ "'input', 'cache', 'output'" if effect == "token" else text(effect) }})
                            then effect_usd
                        end
                    ) as decimal(38, 12)
                ) as {{ effect }}_usd
                {{- "," if not loop.last }}
            {% endfor %}
        from {{ ref("int_weekly_effects") }}
        group by event_date, environment, data_mode
    ),

    compared as (
        select
            weeks.iso_week,
            weeks.week_start,
            weeks.week_end,
            weeks.is_complete,
            costs.environment,
            costs.data_mode,
            costs.days_with_usage,
            costs.requests,
            costs.attempts,
            costs.spend_usd,
            previous.attempts as previous_attempts,
            previous.days_with_usage as previous_days_with_usage,
            previous.spend_usd as previous_spend_usd,
            previous.week_start is not null as has_previous_week,
            coalesce(previous.silent_days, 0) as previous_silent_days,
            case when weeks.is_complete then costs.spend_usd - previous.spend_usd end as change_usd,
            costs.unpriced_attempts,
            cast(costs.unpriced_attempts as double)
            / nullif(costs.attempts - costs.no_usage_attempts, 0) as unpriced_share,
            case when costs.unpriced_attempts > 0 then exposures.exposure_usd else 0 end as exposure_usd,
            costs.estimated_cost_usd,
            cast(costs.estimated_cost_usd as double) / nullif(cast(costs.spend_usd as double), 0) as estimated_share,
            costs.reported_cost_usd,
            costs.duplicate_deliveries,
            costs.conflicting_deliveries,
            costs.missing_usage_attempts,
            costs.silent_days,
            costs.missing_calls,
            costs.silent_days > 0 or costs.unpriced_attempts > 0 or costs.missing_usage_attempts > 0 as is_understated,
            {% for effect in effects %} effects.{{ effect }}_usd {{- "," if not loop.last }} {% endfor %}
        from costs
        inner join {{ ref("int_weeks") }} as weeks on costs.week_start = weeks.week_start
        left join
            costs as previous
            on costs.week_start = previous.week_start + 7
            and costs.environment = previous.environment
            and costs.data_mode = previous.data_mode
        {% for other in ["exposures", "effects"] %}
            left join
                {{ other }}
                on costs.week_start = {{ other }}.week_start
                and costs.environment = {{ other }}.environment
                and costs.data_mode = {{ other }}.data_mode
        {% endfor %}
    )

select
    * exclude ({% for effect in effects %}{{ effect }}_usd {{- ", " if not loop.last }}{% endfor %}),
    cast(change_usd as double) / nullif(cast(previous_spend_usd as double), 0) as change_ratio,
    -- a week that is not over, or has none before it, has no change that could be
    -- explained; between two weeks without calls nothing changed
    {% for effect in effects %}
        case
            when change_usd is not null then coalesce({{ effect }}_usd, 0)
        end as {{ effect }}_usd {{- "," if not loop.last }}
    {% endfor %}
from compared
