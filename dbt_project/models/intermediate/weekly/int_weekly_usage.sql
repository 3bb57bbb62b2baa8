-- Usage and cost of each week, and how far they can be trusted.
{%- set effects = ["volume", "mix", "retry", "token", "price"] %}
with
    costs as (select * from {{ ref("int_weekly_costs") }}),

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
