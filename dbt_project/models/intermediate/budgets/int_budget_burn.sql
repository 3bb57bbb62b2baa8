{{ config(materialized="view") }}
-- The period so far, as of each quarter-hour: projections to its end, burn rates in
-- three windows, and what they signal. A window never reaches into the period before.
{#- what stands next to spend counts the same calls: those of the whole period, also before its limit began -#}
{%- set measures = ["attempts", "estimated_cost_usd", "unpriced_attempts", "unvalued_attempts", "exposure_usd"] %}
{%- set rate_windows = ["recent", "short", "long"] %}
with
    running as (
        select
            *,
            sum(quarter_usd) over period_so_far as spent_usd,
            {% for measure in measures %} sum({{ measure }}) over period_so_far as {{ measure }}_so_far, {% endfor %}
            sum(usual_usd) over period_so_far as usual_so_far_usd,
            sum(usual_usd) over (partition by budget_id, event_date) as usual_period_usd,
            sum(case when is_seen then 1 else 0 end) over (partition by budget_id, event_date) as seen_quarters
        from {{ ref("int_budget_quarters") }}
        window period_so_far as (partition by budget_id, event_date order by number)
    ),

    windows as (
        select
            *,
            cast(spent_usd as double) as spent,
            cast(limit_usd as double) as budget,
            {% for window in rate_windows %}
                {%- set quarters = budget_window(window) %}
                cast(spent_usd - lag(spent_usd, {{ quarters }}, 0) over period_so_far as double) as {{ window }}_usd,
                usual_so_far_usd
                - lag(usual_so_far_usd, {{ quarters }}, 0) over period_so_far as {{ window }}_usual_usd,
            {% endfor %}
            least((usual_period_usd - usual_so_far_usd) / usual_period_usd, 1) as share_ahead
        from running
        window period_so_far as (partition by budget_id, event_date order by number)
    ),

    rates as (
        select
            *,
            -- the rates at which the limit would last exactly, by the scope's own hours
            -- and weekdays
            {% for window in rate_windows %}
                budget * {{ window }}_usual_usd / usual_period_usd as {{ window }}_even_usd,
            {% endfor %}
            round(spent * quarters_in_period / number, 6) as naive_projection_usd,
            round(
                case
                    when is_usual_known
                    then
                        spent
                        + usual_period_usd
                        * share_ahead
                        * (spent + {{ budget_pace_prior() }} * usual_period_usd)
                        / (usual_so_far_usd + {{ budget_pace_prior() }} * usual_period_usd)
                    else spent * quarters_in_period / number
                end,
                6
            ) as projection_usd
        from windows
    ),

    -- while a sender is silent, a projection is that of the last quarter-hour in which
    -- its usage was there, unless what the others spend since gives a higher one; in a
    -- period that has none, it is what is usual
    projections as (
        select
            * exclude (naive_projection_usd, projection_usd),
            {% for projection, without in [
                ("naive_projection_usd", "null"),
                ("projection_usd", "case when is_usual_known then round(usual_period_usd, 6) end"),
            ] %}
                case
                    when is_seen
                    then {{ projection }}
                    else
                        greatest(
                            case when spent > 0 then {{ projection }} end,
                            max(case when number = seen_quarters then {{ projection }} end) over (
                                partition by budget_id, event_date
                            ),
                            case when seen_quarters = 0 then {{ without }} end
                        )
                end as {{ projection }} {{- "," if not loop.last }}
            {% endfor %}
        from rates
    ),

    signals as (
        select
            *,
            is_spend_alert_on
            and budget > 0
            and usual_so_far_usd >= min_elapsed_share * usual_period_usd
            and spent >= min_spent_share * budget
            and coalesce(projection_usd >= budget, false)
            -- more than usual, or, where the usual is already too much, more than would
            -- last
            and recent_usd
            >= least(case when is_usual_known then burn_ratio * recent_usual_usd end, recent_even_usd) as is_on_course,
            is_spend_alert_on and budget > 0 and long_usd >= min_spent_share * budget
            {% for window in ["short", "long"] %}
                and {{ window }}_usd
                >= fast_burn_ratio
                * greatest({{ window }}_even_usd, case when is_usual_known then {{ window }}_usual_usd else 0 end)
            {% endfor %} as is_burning_fast
        from projections
    )

select
    *,
    -- an alert lasts from a signal until nothing was hot for the quiet time
    is_on_course
    or is_burning_fast
    or (is_spend_alert_on and budget > 0 and coalesce(projection_usd >= lower_ratio * budget, false)) as is_hot
from signals
