{{ kept_by_date("budget_period_days") }}
-- Who spent more of the budget than in the four weeks before: the members that grew
-- most, over all dimensions.
{%- set dates = dirty_dates() %}
{%- set days = budget_history_days() %}
with
    periods as (
        select periods.*, states.seen_quarters / 96.0 as days_so_far
        from {{ ref("int_budget_periods") }} as periods
        inner join
            {{ ref("int_budget_states") }} as states
            on periods.budget_id = states.budget_id
            and periods.period_start = states.event_date
            and states.is_last
        where {{ in_dates("periods.period_start", dates) }}
    ),

    members as (
        select
            periods.budget_id,
            periods.period_start,
            periods.days_so_far,
            members.dimension,
            members.member,
            members.local_date,
            members.local_date < periods.period_start as is_past,
            members.cost_usd
        from periods
        inner join
            {{ ref("int_budget_members") }} as members
            on periods.budget_id = members.budget_id
            and members.local_date >= periods.period_start - {{ days }}
            and members.local_date < periods.period_end
    ),

    past as (
        select
            budget_id,
            period_start,
            greatest({{ dbt.datediff("min(local_date)", "period_start", "day") }}, 1) as past_days
        from members
        group by budget_id, period_start
    ),

    spent as (
        select
            budget_id,
            period_start,
            dimension,
            member,
            cast(sum(case when is_past then 0 else cost_usd end) as decimal(38, 12)) as spent_usd,
            -- added up exactly: a sum of doubles depends on its order, and rounds up or
            -- down
            cast(
                round(
                    cast(sum(case when is_past then cost_usd else 0 end) as double)
                    * any_value(days_so_far)
                    / any_value(past_days),
                    6
                ) as decimal(38, 12)
            ) as usual_usd
        from members
        inner join past using (budget_id, period_start)
        where dimension <> 'sender' and member not in ('(other)', '(unattributed)')
        group by budget_id, period_start, dimension, member
    ),

    ranked as (
        select
            *,
            row_number() over (
                partition by budget_id, period_start order by spent_usd - usual_usd desc, dimension, member
            ) as rank
        from spent
        where spent_usd > 0
    )

select period_start as event_date, budget_id, cast(rank as integer) as rank, dimension, member, spent_usd, usual_usd
from ranked
where rank <= {{ budget_driver_ranks() }}
