{{ config(materialized="view") }}
-- What happened in each week, in sentences: problems, incidents and budgets.
{%- set week_scope = "week_start, environment, data_mode" %}
with
    problems as (select * from {{ ref("int_weekly_recurrence") }} where status in ('regressed', 'recurring', 'new')),

    unfinished as (
        select
            week_start,
            environment,
            data_mode,
            incident_id,
            status,
            nullif(concat_ws('; ', execution_missing, hardening_missing), '') as missing
        from {{ ref("int_weekly_incidents") }}
    ),

    incidents as (
        select *, length(missing) - length(replace(missing, '; ', ' ')) + 1 as missing_items
        from unfinished
        where status <> 'closed' or missing is not null
    )

select
    {{ week_scope }},
    case status when 'regressed' then 4 when 'recurring' then 5 else 6 end as place,
    status as kind,
    case status when 'regressed' then 'critical' when 'recurring' then 'warning' else 'info' end as severity,
    cost_impact_usd as amount_usd,
    case
        status
        when 'regressed'
        then 'Came back although a guardrail was set: '
        when 'recurring'
        then 'Came back' || coalesce(' after ' || {{ counted("weeks_since_last_seen", "week") }}, '') || ': '
        else 'New: '
    end
    || problem
    || ', '
    || {{ counted("days", "day") }}
    || ', '
    || {{ usd_text("cost_impact_usd") }}
    || ' above the forecast. '
    || coalesce('Owner: ' || owner || '.', 'Nobody is named as owner.')
    || coalesce(' Next: ' || rtrim(next_action, '.') || '.', '') as sentence
from problems

union all

select
    {{ week_scope }},
    7 as place,
    'incident' as kind,
    case when status = 'open' then 'warning' else 'info' end as severity,
    cast(null as decimal(38, 12)) as amount_usd,
    'Incident '
    || incident_id
    || ' is '
    || status
    || coalesce(
        '; ' || {{ counted("missing_items", "checklist item") }} || ' to do, first: ' || split_part(missing, '; ', 1),
        ''
    )
    || '.' as sentence
from incidents

union all

select
    {{ week_scope }},
    8 as place,
    'budget' as kind,
    case when budgets_exceeded > 0 then 'critical' else 'warning' end as severity,
    cast(null as decimal(38, 12)) as amount_usd,
    'Budgets reached: ' || budget_states || '.' as sentence
from {{ ref("int_weekly_events") }}
where budget_states is not null
