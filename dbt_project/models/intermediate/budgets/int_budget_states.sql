{{ kept_by_date("budget_period_days") }}
-- The state machine of docs/budgets.md over the quarter-hours of each period, causal: a quarter-hour looks back, never
-- ahead. Kept are the quarter-hours at which the state changes, the first, and the last one that was judged.
{%- set dates = dirty_dates() %}
{%- set period_so_far = "partition by budget_id, period_start order by number" %}
with
    quarters as ({{ budget_quarters(dates) }}),

    burning as ({{ budget_burn("quarters") }}),

    signals as (
        select
            *,
            is_spend_alert_on
            and budget > 0
            and usual_so_far_usd >= min_elapsed_share * usual_period_usd
            and spent >= min_spent_share * budget
            and projection_usd >= budget
            -- more than usual, or, where the usual is already too much, more than would last
            and recent_usd
            >= least(case when is_usual_known then burn_ratio * recent_usual_usd end, recent_even_usd) as is_on_course,
            is_spend_alert_on and budget > 0 and long_usd >= min_spent_share * budget
            {% for window in ["short", "long"] %}
                and {{ window }}_usd
                >= fast_burn_ratio
                * greatest({{ window }}_even_usd, case when is_usual_known then {{ window }}_usual_usd else 0 end)
            {% endfor %} as is_burning_fast
        from burning
        where quarter_at < {{ as_of() }} and limit_usd is not null
    ),

    -- an alert lasts from a signal until nothing was hot for the quiet time
    hot as (
        select
            *,
            is_on_course
            or is_burning_fast
            or (is_spend_alert_on and budget > 0 and projection_usd >= lower_ratio * budget) as is_hot
        from signals
    ),

    spells as (
        select
            *,
            max(case when is_hot then number end) over ({{ period_so_far }}) as last_hot,
            max(case when is_hot then number end) over (
                {{ period_so_far }} rows between unbounded preceding and 1 preceding
            ) as hot_before
        from hot
    ),

    numbered as (
        select
            *,
            sum(case when is_hot and coalesce(number - hot_before > quiet_quarters, true) then 1 else 0 end) over (
                {{ period_so_far }}
            ) as spell
        from spells
    ),

    alerting as (
        select
            *,
            coalesce(
                bool_or(is_on_course or is_burning_fast) over (
                    partition by budget_id, period_start, spell order by number
                )
                and number - last_hot < quiet_quarters,
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
                when is_alerting
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
            {% for total in budget_totals() %}
                sum({{ total }}) over ({{ period_so_far }}) as {{ total }}_so_far,
            {% endfor %}
            number = min(number) over (partition by budget_id, period_start) as is_first,
            number = max(number) over (partition by budget_id, period_start) as is_last
        from judged
    )

select
    period_start as event_date,
    budget_id,
    quarter_at,
    local_at,
    number,
    quarters_in_period,
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
    round(recent_usd / nullif(recent_even_usd, 0), 6) as burn_rate,
    round(case when is_usual_known then recent_usd / nullif(recent_usual_usd, 0) end, 6) as burn_to_usual,
    is_usual_known,
    {% for total, type in budget_totals().items() %}
        cast({{ total }}_so_far as {{ type }}) as {{ total }} {{- "," if not loop.last }}
    {% endfor %}
from compared
where state <> from_state or is_first or is_last
