-- Every problem in every week since it was first seen, by what was known at the week's
-- end.
{%- set so_far = "(partition by problem_id order by week_start rows between unbounded preceding and current row)" %}
{%- set before = "(partition by problem_id order by week_start rows between unbounded preceding and 1 preceding)" %}
with
    problems as (select * from {{ ref("int_problem_weeks") }}),

    firsts as (
        select problem_id, min(week_start) as first_week, min(first_date) as first_seen_date
        from problems
        group by problem_id
    ),

    -- a problem came back after its guardrail when one of its alerts began while an
    -- incident on it was closed with one
    regressions as (
        select distinct problems.week_start, problems.problem_id
        from problems
        inner join {{ ref("int_incident_closures") }} as closures on problems.problem_id = closures.problem_id
        inner join {{ ref("int_alerts") }} as alerts on problems.problem_id = alerts.problem_id
        where
            {{ monday_of("alerts.onset_date") }} = problems.week_start
            and not alerts.is_muted
            and alerts.alert_id not in (select alert_id from {{ ref("int_alert_plans") }})
            and cast(alerts.onset_date as timestamp) >= closures.closed_from
            and coalesce(cast(alerts.onset_date as timestamp) < closures.closed_until, true)
    ),

    weekly as (
        select
            weeks.*,
            firsts.problem_id,
            firsts.first_week,
            firsts.first_seen_date,
            coalesce(problems.days, 0) as days,
            coalesce(problems.occurrences, 0) as occurrences,
            coalesce(problems.cost_impact_usd, 0) as cost_impact_usd,
            coalesce(problems.is_understated, false) as is_understated,
            problems.last_date,
            problems.alert_ids,
            regressions.problem_id is not null as is_regressed
        from firsts
        inner join {{ ref("int_weeks") }} as weeks on weeks.week_start >= firsts.first_week
        left join problems on firsts.problem_id = problems.problem_id and weeks.week_start = problems.week_start
        left join
            regressions on firsts.problem_id = regressions.problem_id and weeks.week_start = regressions.week_start
    ),

    counted as (
        select
            *,
            max(last_date) over {{ so_far }} as last_seen_date,
            max(case when days > 0 then week_start end) over {{ before }} as week_seen_before,
            sum(case when days = 0 then 1 else 0 end) over {{ so_far }} as pauses,
            cast(
                sum(occurrences) over (
                    partition by problem_id order by week_start rows between 7 preceding and current row
                ) as bigint
            ) as occurrences_8_weeks,
            cast(sum(occurrences) over {{ so_far }} as bigint) as total_occurrences,
            cast(sum(cost_impact_usd) over {{ so_far }} as decimal(38, 12)) as total_cost_impact_usd,
            -- an alert that continues from last week did not come back: its status
            -- stays
            last_value(
                case
                    when occurrences > 0 and is_regressed
                    then 'regressed'
                    when occurrences > 0 and week_start = first_week
                    then 'new'
                    when occurrences > 0
                    then 'recurring'
                end ignore nulls
            ) over {{ so_far }} as status_when_seen
        from weekly
    ),

    resolved as (
        select distinct counted.week_start, counted.problem_id
        from counted
        inner join {{ ref("int_incident_closures") }} as closures on counted.problem_id = closures.problem_id
        where
            closures.closed_from < counted.week_end
            and coalesce(closures.closed_until >= counted.week_end, true)
            and cast(closures.closed_from as date) >= counted.last_seen_date
    )

select
    counted.*,
    cast(
        {{ dbt.datediff("counted.week_seen_before", "counted.week_start", "day") }} / 7 as bigint
    ) as weeks_since_last_seen,
    case
        when counted.days > 0
        then
            count(*) over (
                partition by counted.problem_id, counted.pauses, counted.days > 0 order by counted.week_start
            )
        else 0
    end as consecutive_weeks,
    case
        when counted.days > 0
        then counted.status_when_seen
        when resolved.problem_id is not null
        then 'resolved'
        else 'quiet'
    end as status
from counted
left join resolved on counted.problem_id = resolved.problem_id and counted.week_start = resolved.week_start
