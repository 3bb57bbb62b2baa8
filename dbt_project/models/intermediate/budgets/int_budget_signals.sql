{{ config(materialized="view") }}
-- What a quarter-hour signals: that the period is on course to exceed its limit, or
-- that money burns fast.
{%- set tolerance = budget_batch_tolerance() %}
{%- set by_quarter = "partition by budget_id, event_date order by number" %}
{%- set around -%}
    partition by budget_id, event_date order by number
    rows between {{ tolerance }} preceding and {{ tolerance }} following
{%- endset %}
with
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
                end as {{ projection }},
            {% endfor %}
            {% for window in ["recent", "short", "long"] %}
                {%- set quarters = budget_window(window) %}
                cast(used_usd - lag(used_usd, {{ quarters }}, 0) over ({{ by_quarter }}) as double) as {{ window }}_usd,
                case
                    when number > {{ quarters }} {{ "or true" if window == "recent" }}
                    then usual_so_far_usd - lag(usual_so_far_usd, {{ quarters }}, 0) over ({{ by_quarter }})
                    -- a window that begins with the period is compared with a whole one
                    else
                        max(case when number <= {{ quarters }} then usual_so_far_usd end) over (
                            partition by budget_id, event_date
                        )
                end as {{ window }}_usual_usd,
            {% endfor %}
            -- one call does not make a fire; of a scope without a past, nor one
            -- quarter-hour
            used_in_quarter / case when is_usual_known then greatest(attempts, 1) else 1 end as largest_in_quarter
        from {{ ref("int_budget_burn") }}
    ),

    windows as (
        select
            *,
            budget * recent_usual_usd / usual_period_usd as recent_even_usd,
            -- a batch may be early or late
            {% for window in ["short", "long"] %}
                max({{ window }}_usual_usd) over ({{ around }}) as {{ window }}_batch_usd,
            {% endfor %}
            case
                period
                {%- for period, windows in budget_windows().items() %}
                    when '{{ period }}'
                    then
                        max(largest_in_quarter) over (
                            partition by budget_id, event_date
                            order by number rows between {{ windows["long"] - 1 }} preceding and current row
                        )
                {%- endfor %}
            end as largest_usd
        from projections
    ),

    burns as (
        select
            *,
            long_usd - largest_usd as confirmed_usd,
            {% for window in ["short", "long"] %}
                {{ window }}_batch_usd * greatest(
                    budget / usual_period_usd, case when is_usual_known then 1 else 0 end
                ) as {{ window }}_allowed_usd
                {{- "," if not loop.last }}
            {% endfor %}
        from windows
    ),

    signals as (
        select
            *,
            is_spend_alert_on
            and budget > 0
            and spent >= min_spent_share * budget
            -- more than usual, or, where the usual is already too much, more than would
            -- last
            and recent_usd > 0
            and recent_usd >= least(case when is_usual_known then burn_ratio * recent_usual_usd end, recent_even_usd)
            and coalesce(
                (
                    least_projection_usd >= budget
                    and (
                        usual_so_far_usd >= min_elapsed_share * usual_period_usd or spent >= min_elapsed_share * budget
                    )
                )
                or (projection_usd >= budget and spent >= {{ budget_near_share() }} * budget),
                false
            ) as is_on_course,
            is_spend_alert_on
            and budget > 0
            and confirmed_usd >= min_spent_share * budget
            and short_usd > 0
            and short_usd >= fast_burn_ratio * short_allowed_usd
            and confirmed_usd >= fast_burn_ratio * long_allowed_usd
            and confirmed_usd - case when is_usual_known then long_batch_usd else 0 end
            >= {{ budget_burn_lumps() }} * case when is_usual_known then lump else new_lump end as is_burning_fast,
            -- a usual period is too much, whatever happens in this one
            is_spend_alert_on
            and budget > 0
            and number = 1
            and is_seen
            and is_usual_known
            and coalesce(is_steady, false)
            and least_usual_usd >= budget as is_usual_too_much
        from burns
    )

select
    * exclude (is_on_course, is_usual_too_much),
    is_on_course or is_usual_too_much as is_on_course,
    -- an alert lasts from a signal until nothing was hot for the quiet time
    is_on_course
    or is_usual_too_much
    or is_burning_fast
    or (is_spend_alert_on and budget > 0 and coalesce(projection_usd >= lower_ratio * budget, false)) as is_hot,
    -- when the period, or its last limit, is over, nothing is ahead any more
    number = max(case when limit_usd is not null then number end) over (partition by budget_id, event_date) as is_final
from signals
