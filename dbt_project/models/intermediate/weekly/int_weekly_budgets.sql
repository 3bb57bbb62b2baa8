-- Every budget in every week of its own time zone in which one of its periods lies: the
-- worst state that held in it, also when it was reached before, and the period that was
-- worst. A week has seven periods of a budget for a day, and is one row all the same.
{%- set week_of_budget = "week_start, budget_id" %}
with
    weeks as (select week_start, week_end from {{ ref("int_weeks") }}),

    limits as (select * from {{ ref("int_budgets") }}),

    spells as (select * from {{ ref("int_budget_spells") }}),

    held as (
        select weeks.week_start, spells.*
        from spells
        inner join weeks on spells.held_from < weeks.week_end and spells.held_until > weeks.week_start
        where spells.state <> 'ok' and spells.held_from < spells.held_until
    ),

    worst as (
        select
            {{ week_of_budget }},
            period_start,
            max_by(state, {{ budget_severity("state") }}) as state,
            max({{ budget_severity("state") }}) as severity
        from held
        group by {{ week_of_budget }}, period_start
    ),

    -- of the worst state: since when, and until when where it ended
    spans as (
        select {{ week_of_budget }}, period_start, state, min(held_from) as held_from, max(held_until) as held_until
        from held
        group by {{ week_of_budget }}, period_start, state
    ),

    -- spent by the end of the week, and the limit of then
    spent as (
        select
            weeks.week_start,
            quarters.budget_id,
            quarters.event_date as period_start,
            any_value(weeks.week_end) as week_end,
            any_value(quarters.period) as period,
            any_value(periods.period_end) as period_end,
            cast(sum(quarters.quarter_usd) as decimal(38, 12)) as spent_usd,
            max_by(quarters.limit_usd, quarters.quarter_at) as limit_usd
        from {{ ref("int_budget_quarters") }} as quarters
        inner join
            {{ ref("int_budget_periods") }} as periods
            on quarters.budget_id = periods.budget_id
            and quarters.event_date = periods.period_start
        inner join
            weeks
            on periods.period_start < weeks.week_end
            and periods.period_end > weeks.week_start
            and quarters.local_at < weeks.week_end
        where quarters.quarter_at < {{ as_of() }} and quarters.limit_usd is not null
        group by weeks.week_start, quarters.budget_id, quarters.event_date
        having max(quarters.local_at) >= any_value(weeks.week_start)
    ),

    periods_of_week as (
        select
            spent.*,
            coalesce(worst.state, 'ok') as state,
            spans.held_from,
            spans.held_until,
            count(*) over (
                partition by spent.week_start, spent.budget_id, coalesce(worst.state, 'ok')
            ) as periods_in_state,
            row_number() over (
                partition by spent.week_start, spent.budget_id
                order by
                    coalesce(worst.severity, 0) desc,
                    spent.spent_usd - spent.limit_usd desc nulls last,
                    spent.period_start desc
            ) as place
        from spent
        left join worst using ({{ week_of_budget }}, period_start)
        left join
            spans
            on spent.week_start = spans.week_start
            and spent.budget_id = spans.budget_id
            and spent.period_start = spans.period_start
            and worst.state = spans.state
    ),

    scopes as (
        select budget_id, any_value(environments) as environments, any_value(data_modes) as data_modes
        from limits
        group by budget_id
    ),

    -- a budget over every environment has a row of its own; one over several that it
    -- names is news in each
    environment_modes as (
        select distinct environment, data_mode
        from {{ ref("int_quality_daily") }}
        union
        select distinct {{ all_environments() }}, data_mode
        from {{ ref("int_quality_daily") }}
    )

select
    periods_of_week.week_start,
    environment_modes.environment,
    environment_modes.data_mode,
    periods_of_week.budget_id,
    periods_of_week.period,
    periods_of_week.period_start,
    periods_of_week.week_end,
    periods_of_week.period_end,
    periods_of_week.state,
    periods_of_week.held_from,
    periods_of_week.held_until,
    cast(periods_of_week.periods_in_state as bigint) as periods_in_state,
    periods_of_week.spent_usd,
    periods_of_week.limit_usd
from periods_of_week
inner join scopes on periods_of_week.budget_id = scopes.budget_id
inner join
    environment_modes
    on (
        (scopes.environments = '*' and environment_modes.environment = {{ all_environments() }})
        or {{ in_words("environment_modes.environment", "scopes.environments") }}
    )
    and {{ in_words("environment_modes.data_mode", "scopes.data_modes") }}
where periods_of_week.place = 1
