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
            problems.severity,
            problems.drill_url,
            problems.last_date,
            problems.last_onset_date,
            problems.alert_ids,
            failures.failed_incident_id,
            failures.failed_guardrail,
            failures.problem_id is not null as is_regressed
        from firsts
        inner join {{ ref("int_weeks") }} as weeks on weeks.week_start >= firsts.first_week
        left join problems on firsts.problem_id = problems.problem_id and weeks.week_start = problems.week_start
        left join
            {{ ref("int_regressions") }} as failures
            on firsts.problem_id = failures.problem_id
            and weeks.week_start = failures.week_start
    ),

    counted as (
        select
            * exclude (drill_url, last_onset_date, failed_incident_id, failed_guardrail),
            max(last_date) over {{ so_far }} as last_seen_date,
            max(last_onset_date) over {{ so_far }} as last_onset_date,
            last_value(drill_url ignore nulls) over {{ so_far }} as drill_url,
            last_value(failed_incident_id ignore nulls) over {{ so_far }} as failed_incident_id,
            last_value(case when is_regressed then coalesce(failed_guardrail, '') end ignore nulls) over {{ so_far }}
            as failed_guardrail,
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
    ),

    -- what people still work on is not resolved
    unfinished as (select distinct week_start, problem_id from {{ ref("int_incident_weeks") }} where status <> 'closed')

select
    counted.* exclude (failed_incident_id, failed_guardrail),
    case when counted.status_when_seen = 'regressed' then counted.failed_incident_id end as failed_incident_id,
    case when counted.status_when_seen = 'regressed' then nullif(counted.failed_guardrail, '') end as failed_guardrail,
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
        when resolved.problem_id is not null and unfinished.problem_id is null
        then 'resolved'
        else 'quiet'
    end as status
from counted
left join resolved on counted.problem_id = resolved.problem_id and counted.week_start = resolved.week_start
left join unfinished on counted.problem_id = unfinished.problem_id and counted.week_start = unfinished.week_start
