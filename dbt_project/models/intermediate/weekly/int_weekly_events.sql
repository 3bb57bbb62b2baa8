-- What happened in each week, counted: alerts, problems by what they are, incidents,
-- and the states that budgets reached.
{%- set week_scope = "week_start, environment, data_mode" %}
with
    alerts as (
        select
            {{ monday_of("alerts.onset_date") }} as week_start,
            alerts.environment,
            alerts.data_mode,
            count(*) as alerts,
            cast(sum(case when alerts.severity = 'critical' then 1 else 0 end) as bigint) as critical_alerts
        from {{ ref("int_alert_rows") }} as alerts
        where alerts.status not in ('muted', 'planned')
        group by {{ monday_of("alerts.onset_date") }}, alerts.environment, alerts.data_mode
    ),

    problems as (
        select
            {{ week_scope }},
            {% for status in ["new", "recurring", "regressed"] %}
                cast(sum(case when status = '{{ status }}' then 1 else 0 end) as bigint) as {{ status }}_problems,
            {% endfor %}
            cast(sum(cost_impact_usd) as decimal(38, 12)) as problem_cost_usd
        from {{ ref("int_weekly_recurrence") }}
        group by {{ week_scope }}
    ),

    incidents as (
        select
            {{ week_scope }},
            cast(sum(case when opened_at >= week_start then 1 else 0 end) as bigint) as incidents_opened,
            cast(sum(case when closed_at >= week_start then 1 else 0 end) as bigint) as incidents_closed,
            cast(sum(case when status <> 'closed' then 1 else 0 end) as bigint) as open_incidents
        from {{ ref("int_weekly_incidents") }}
        group by {{ week_scope }}
    ),

    -- a budget over two environments is news in both
    reached as (
        select
            {{ monday_of("changes.changed_at") }} as week_start,
            environment_modes.environment,
            environment_modes.data_mode,
            changes.budget_id,
            changes.period_start,
            max_by(changes.to_state, {{ budget_severity("changes.to_state") }}) as state
        from {{ ref("int_budget_transitions") }} as changes
        inner join
            (select distinct environment, data_mode from {{ ref("int_weekly_usage") }}) as environment_modes
            on coalesce({{ in_words("environment_modes.environment", "changes.environments") }}, true)
            and {{ in_words("environment_modes.data_mode", "changes.data_modes") }}
        where not changes.is_muted
        group by
            {{ monday_of("changes.changed_at") }},
            environment_modes.environment,
            environment_modes.data_mode,
            changes.budget_id,
            changes.period_start
    ),

    budgets as (
        select
            {{ week_scope }},
            string_agg(
                budget_id || ' ' || replace(state, '_', ' '), '; ' order by budget_id, period_start
            ) as budget_states,
            count(distinct case when state = 'exceeded' then budget_id end) as budgets_exceeded
        from reached
        where state in ('warning', 'spend_alert', 'exceeded')
        group by {{ week_scope }}
    )

select
    usage.week_start,
    usage.environment,
    usage.data_mode,
    coalesce(alerts.alerts, 0) as alerts,
    coalesce(alerts.critical_alerts, 0) as critical_alerts,
    coalesce(problems.new_problems, 0) as new_problems,
    coalesce(problems.recurring_problems, 0) as recurring_problems,
    coalesce(problems.regressed_problems, 0) as regressed_problems,
    coalesce(problems.problem_cost_usd, 0) as problem_cost_usd,
    coalesce(incidents.incidents_opened, 0) as incidents_opened,
    coalesce(incidents.incidents_closed, 0) as incidents_closed,
    coalesce(incidents.open_incidents, 0) as open_incidents,
    budgets.budget_states,
    coalesce(budgets.budgets_exceeded, 0) as budgets_exceeded
from {{ ref("int_weekly_usage") }} as usage
left join alerts using ({{ week_scope }})
left join problems using ({{ week_scope }})
left join incidents using ({{ week_scope }})
left join budgets using ({{ week_scope }})
