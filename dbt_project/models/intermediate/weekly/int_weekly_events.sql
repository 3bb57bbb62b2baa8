-- What happened in each week, counted: alerts, problems by what they are, incidents,
-- and the budgets that were not ok.
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
            -- one that goes on from last week is neither new nor back
            {% for status in ["new", "recurring", "regressed"] %}
                cast(
                    sum(case when status = '{{ status }}' and occurrences > 0 then 1 else 0 end) as bigint
                ) as {{ status }}_problems,
            {% endfor %}
            cast(sum(case when days > 0 and occurrences = 0 then 1 else 0 end) as bigint) as continued_problems,
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

    budgets as (
        select
            {{ week_scope }},
            string_agg(
                budget_id
                || ' '
                || replace(state, '_', ' ')
                || case
                    when period = 'day'
                    then
                        ' on ' || {{ counted("periods_in_state", "day") }} || ', worst ' || cast(period_start as string)
                    else ''
                end,
                '; '
                order by budget_id
            ) as budget_states,
            sum(case when state = 'exceeded' then 1 else 0 end) as budgets_exceeded
        from {{ ref("int_weekly_budgets") }}
        where state <> 'ok'
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
    coalesce(problems.continued_problems, 0) as continued_problems,
    coalesce(problems.problem_cost_usd, 0) as problem_cost_usd,
    coalesce(incidents.incidents_opened, 0) as incidents_opened,
    coalesce(incidents.incidents_closed, 0) as incidents_closed,
    coalesce(incidents.open_incidents, 0) as open_incidents,
    budgets.budget_states,
    cast(coalesce(budgets.budgets_exceeded, 0) as bigint) as budgets_exceeded
from {{ ref("int_weekly_usage") }} as usage
left join alerts using ({{ week_scope }})
left join problems using ({{ week_scope }})
left join incidents using ({{ week_scope }})
left join budgets using ({{ week_scope }})
