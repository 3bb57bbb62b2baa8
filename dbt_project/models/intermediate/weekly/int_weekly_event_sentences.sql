{{ config(materialized="view") }}
-- What happened in each week, in sentences: one for each problem, with the incident on
-- it, and one for each budget.
{%- set week_scope = "week_start, environment, data_mode" %}
with
    problems as (
        select *, case when occurrences = 0 then 'continued' else status end as kind
        from {{ ref("int_weekly_recurrence") }}
        where days > 0
    ),

    unfinished as (
        select
            week_start,
            environment,
            data_mode,
            problem_id,
            problem,
            incident_id,
            status,
            nullif(concat_ws('; ', execution_missing, hardening_missing), '') as missing
        from {{ ref("int_weekly_incidents") }}
    ),

    -- of a problem that did not show, what people still have to do; of one that did,
    -- its own sentence says it
    incidents as (
        select unfinished.*, length(missing) - length(replace(missing, '; ', ' ')) + 1 as missing_items
        from unfinished
        left join
            problems on unfinished.week_start = problems.week_start and unfinished.problem_id = problems.problem_id
        where problems.problem_id is null and (unfinished.status <> 'closed' or missing is not null)
    ),

    quiet as (
        select
            {{ week_scope }},
            any_value(problem) as problem,
            bool_or(status = 'open') as is_open,
            string_agg(
                'incident '
                || incident_id
                || ' is '
                || status
                || coalesce(
                    ', '
                    || {{ counted("missing_items", "checklist item") }}
                    || ' to do, first: '
                    || split_part(missing, '; ', 1),
                    ''
                ),
                '; '
                order by incident_id
            ) as states
        from incidents
        group by {{ week_scope }}, coalesce(problem_id, incident_id)
    )

select
    {{ week_scope }},
    case kind when 'regressed' then 4 when 'recurring' then 5 when 'new' then 6 else 7 end as place,
    kind,
    -- that of its alerts; a guardrail that failed is a warning at least
    case when kind = 'regressed' and severity = 'info' then 'warning' else severity end as severity,
    cost_impact_usd as amount_usd,
    case
        kind
        when 'regressed'
        then 'Came back although ' || failed_incident_id || ' was closed with a guardrail: '
        when 'recurring'
        then 'Came back' || coalesce(' after ' || {{ counted("weeks_since_last_seen", "week") }}, '') || ': '
        when 'new'
        then 'New: '
        else 'Goes on from the week before: '
    end
    || problem
    || ', '
    || {{ counted("days", "day") }}
    || ', '
    || case when is_understated then 'at least ' else '' end
    || {{ usd_text("cost_impact_usd") }}
    || ' above the forecast. '
    || coalesce('Owner: ' || owner || '.', 'Nobody is named as owner.')
    || coalesce(' Incident ' || incident_id || ' is ' || incident_status || '.', '')
    || coalesce(' Next: ' || rtrim(next_action, '.') || '.', '') as sentence,
    drill_url
from problems

union all

select
    {{ week_scope }},
    8 as place,
    'incident' as kind,
    case when is_open then 'warning' else 'info' end as severity,
    cast(null as decimal(38, 12)) as amount_usd,
    'No alert this week: ' || problem || '; ' || states || '.' as sentence,
    cast(null as string) as drill_url
from quiet

union all

select
    {{ week_scope }},
    9 as place,
    'budget' as kind,
    case when state = 'exceeded' then 'critical' else 'warning' end as severity,
    -- it may have been paid back within the week
    case when state = 'exceeded' and spent_usd > limit_usd then spent_usd - limit_usd end as amount_usd,
    'Budget '
    || budget_id
    || ': '
    || replace(state, '_', ' ')
    || case
        when period = 'day'
        then
            ' on '
            || {{ counted("periods_in_state", "day") }}
            || ', worst on '
            || cast(period_start as string)
            || ' with '
        when held_until < week_end and held_until < period_end
        then
            ' from '
            || cast(cast(held_from as date) as string)
            || ' to '
            || cast(cast(held_until as date) as string)
            || ', '
        else ' since ' || cast(cast(held_from as date) as string) || ', '
    end
    || {{ usd_text("spent_usd") }}
    || ' of '
    || {{ usd_text("limit_usd") }}
    || '.' as sentence,
    cast(null as string) as drill_url
from {{ ref("int_weekly_budgets") }}
where state <> 'ok'
