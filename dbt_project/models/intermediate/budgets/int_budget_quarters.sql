{{ kept_by_date("budget_period_days") }}
-- Every quarter-hour of a period: what was spent in it, whether all of that has
-- arrived, what the scope usually spends in it, and the limit that holds.
{%- set dates = dirty_dates() %}
with
    periods as (select * from {{ ref("int_budget_periods") }} where {{ in_dates("period_start", dates) }}),

    limits as (select * from {{ ref("int_budgets") }}),

    spending as (
        select *
        from {{ ref("int_budget_spending") }}
        where quarter_at >= (select min(starts_at) from periods) - interval {{ budget_look_back_days() }} day
    ),

    -- what the period before left of its own limit; what it had itself been carried
    -- over is not passed on, and nor is a refund, unless asked for
    carried as (
        select
            periods.budget_id,
            periods.period_start,
            greatest(
                any_value(limits.limit_usd) - coalesce(
                    sum(
                        spending.cost_usd
                        - case when periods.carry_over = 'unused_and_refunds' then 0 else spending.refunded_usd end
                    ),
                    0
                ),
                0
            ) as carried_usd
        from periods
        inner join
            {{ ref("int_budget_periods") }} as earlier
            on periods.budget_id = earlier.budget_id
            and periods.period_start = earlier.period_end
        inner join
            limits
            on periods.budget_id = limits.budget_id
            and limits.valid_from_at < earlier.ends_at
            and coalesce(limits.valid_to_at >= earlier.ends_at, true)
        left join
            spending
            on periods.budget_id = spending.budget_id
            and spending.quarter_at >= earlier.starts_at
            and spending.quarter_at < earlier.ends_at
        where periods.carry_over <> 'none'
        group by periods.budget_id, periods.period_start
    ),

    quarters as (
        select *, unnest(generate_series(starts_at, ends_at - interval 15 minute, interval 15 minute)) as quarter_at
        from periods
    ),

    clocked as (
        select
            *,
            {{ local_time("quarter_at", "time_zone") }} as local_at,
            row_number() over (partition by budget_id, period_start order by quarter_at) as number,
            count(*) over (partition by budget_id, period_start) as quarters_in_period
        from quarters
    )

select
    clocked.period_start as event_date,
    clocked.budget_id,
    clocked.period,
    clocked.quarter_at,
    clocked.local_at,
    clocked.number,
    clocked.quarters_in_period,
    coalesce(spending.cost_usd, 0) as quarter_usd,
    coalesce(spending.adjusted_usd, 0) as adjusted_usd,
    coalesce(spending.attempts, 0) as attempts,
    coalesce(spending.estimated_cost_usd, 0) as estimated_cost_usd,
    coalesce(spending.unpriced_attempts, 0) as unpriced_attempts,
    coalesce(spending.unvalued_attempts, 0) as unvalued_attempts,
    coalesce(spending.exposure_usd, 0) as exposure_usd,
    coalesce(clocked.quarter_at < silences.data_until, true) as is_seen,
    -- unknown without a past
    usual.usual_usd,
    unevenness.dispersion_usd,
    unevenness.lump_usd,
    unevenness.is_steady,
    cast(limits.limit_usd + coalesce(carried.carried_usd, 0) as decimal(38, 12)) as limit_usd,
    -- 26 digits by 12, as the limit's own
    cast(
        limits.warning_usd
        + cast(coalesce(carried.carried_usd, 0) as decimal(26, 12)) * limits.warning_ratio as decimal(38, 12)
    ) as warning_usd,
    limits.is_spend_alert_on,
    limits.min_elapsed_share,
    limits.min_spent_share,
    limits.burn_ratio,
    limits.fast_burn_ratio,
    limits.lower_ratio,
    limits.quiet_quarters
from clocked
left join spending on clocked.budget_id = spending.budget_id and clocked.quarter_at = spending.quarter_at
left join
    {{ ref("int_budget_usual") }} as usual
    on clocked.budget_id = usual.budget_id
    and clocked.period_start = usual.event_date
    and extract(isodow from clocked.local_at) = usual.weekday
    and {{ quarter_of_day("clocked.local_at") }} = usual.quarter_of_day
left join
    {{ ref("int_budget_unevenness") }} as unevenness
    on clocked.budget_id = unevenness.budget_id
    and clocked.period_start = unevenness.event_date
left join
    limits
    on clocked.budget_id = limits.budget_id
    and clocked.quarter_at >= limits.valid_from_at
    and coalesce(clocked.quarter_at < limits.valid_to_at, true)
left join carried on clocked.budget_id = carried.budget_id and clocked.period_start = carried.period_start
left join {{ ref("int_budget_silences") }} as silences on clocked.budget_id = silences.budget_id
