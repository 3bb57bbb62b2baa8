{{ config(materialized="view") }}
-- One line of each week: what it cost, why that changed, what happened, and the
-- findings.
{%- set week_scope = "week_start, environment, data_mode" %}
with
    findings as (
        select {{ week_scope }}, string_agg(sentence, chr(10) order by rank) as narrative
        from {{ ref("int_weekly_sentences") }}
        group by {{ week_scope }}
    ),

    drivers as (
        select
            {{ week_scope }},
            string_agg(member || ': ' || {{ more_or_less("change_usd") }}, '; ' order by rank) as top_drivers
        from {{ ref("int_weekly_changes") }}
        where dimension = 'endpoint' and rank <= {{ weekly_named_endpoints() }} and change_usd is not null
        group by {{ week_scope }}
    )

select
    usage.iso_week,
    usage.week_start,
    usage.week_end,
    usage.is_complete,
    usage.environment,
    usage.data_mode,
    usage.days_with_usage,
    usage.requests,
    usage.attempts,
    usage.spend_usd,
    usage.previous_spend_usd,
    usage.change_usd,
    usage.change_ratio,
    usage.volume_usd,
    usage.mix_usd,
    usage.retry_usd,
    usage.token_usd,
    usage.price_usd,
    drivers.top_drivers,
    events.alerts,
    events.critical_alerts,
    events.new_problems,
    events.recurring_problems,
    events.regressed_problems,
    events.continued_problems,
    events.problem_cost_usd,
    events.incidents_opened,
    events.incidents_closed,
    events.open_incidents,
    events.budget_states,
    events.budgets_exceeded,
    usage.unpriced_attempts,
    usage.unpriced_share,
    usage.exposure_usd,
    usage.estimated_cost_usd,
    usage.estimated_share,
    usage.reported_cost_usd,
    usage.duplicate_deliveries,
    usage.conflicting_deliveries,
    usage.missing_usage_attempts,
    usage.silent_days,
    usage.missing_calls,
    usage.is_understated,
    findings.narrative
from {{ ref("int_weekly_usage") }} as usage
inner join {{ ref("int_weekly_events") }} as events using ({{ week_scope }})
left join findings using ({{ week_scope }})
left join drivers using ({{ week_scope }})
