{{ kept_by_date("budget_period_days") }}
-- The state machine of docs/budgets.md over the quarter-hours of each period, causal: a
-- quarter-hour looks back, never ahead. Kept are the quarter-hours at which the state
-- changes, the first, and the last one that was judged.
{%- set period_so_far = "partition by budget_id, event_date order by number" %}
with
    hot as (
        select
            *,
            -- what is quiet because a sender is silent does not count as quiet
            sum(case when is_seen then 1 else 0 end) over ({{ period_so_far }}) as clock,
            max(case when is_seen or attempts > 0 then number else 0 end) over (
                {{ period_so_far }}
            ) as seen_quarters_so_far
        from {{ ref("int_budget_signals") }}
        where {{ in_dates("event_date", dirty_dates()) }} and quarter_at < {{ as_of() }} and limit_usd is not null
    ),

    spells as (
        select
            *,
            max(case when is_hot then clock end) over ({{ period_so_far }}) as last_hot,
            max(case when is_hot then clock end) over (
                {{ period_so_far }} rows between unbounded preceding and 1 preceding
            ) as hot_before
        from hot
    ),

    numbered as (
        select
            *,
            sum(case when is_hot and coalesce(clock - hot_before > quiet_quarters, true) then 1 else 0 end) over (
                {{ period_so_far }}
            ) as spell
        from spells
    ),

    alerting as (
        select
            *,
            coalesce(
                bool_or(is_on_course or is_burning_fast) over (
                    partition by budget_id, event_date, spell order by number
                )
                and clock - last_hot < quiet_quarters,
                false
            ) as is_alerting
        from numbered
    ),

    judged as (
        select
            *,
            case
                when spent_usd > limit_usd
                then 'exceeded'
                when is_alerting and not is_final
                then 'spend_alert'
                else {{ budget_state_of_spend("spent_usd", "alerting") }}
            end as state
        from alerting
    ),

    compared as (
        select
            *,
            lag(state, 1, 'ok') over ({{ period_so_far }}) as from_state,
            lag(limit_usd, 1, limit_usd) over ({{ period_so_far }}) as limit_before_usd,
            number = min(number) over (partition by budget_id, event_date) as is_first,
            number = max(number) over (partition by budget_id, event_date) as is_last
        from judged
    )

select
    event_date,
    budget_id,
    quarter_at,
    local_at,
    number,
    quarters_in_period,
    seen_quarters_so_far as seen_quarters,
    state,
    from_state,
    state <> from_state as is_change,
    is_first,
    is_last,
    case
        when limit_usd <> limit_before_usd
        then 'limit_change'
        when adjusted_usd <> 0
        then 'adjustment'
        when 'spend_alert' in (state, from_state) and state <> 'exceeded'
        then 'projection'
        else 'spend'
    end as cause,
    is_burning_fast,
    cast(spent_usd as decimal(38, 12)) as spent_usd,
    limit_usd,
    warning_usd,
    projection_usd,
    naive_projection_usd,
    -- what burns while a sender is silent is unknown
    round(case when is_seen then recent_usd / nullif(recent_even_usd, 0) end, 6) as burn_rate,
    round(case when is_seen and is_usual_known then recent_usd / nullif(recent_usual_usd, 0) end, 6) as burn_to_usual,
    is_usual_known,
    cast(attempts_so_far as bigint) as attempts,
    cast(estimated_cost_usd_so_far as decimal(38, 12)) as estimated_cost_usd,
    cast(unpriced_attempts_so_far as bigint) as unpriced_attempts,
    cast(unvalued_attempts_so_far as bigint) as unvalued_attempts,
    cast(exposure_usd_so_far as decimal(38, 12)) as exposure_usd
from compared
where state <> from_state or is_first or is_last
