{{ config(materialized="view") }}
-- The period so far, as of each quarter-hour: projections to its end and how uncertain
-- they are, and spend in three windows, which never reach into the period before. Pace
-- and windows are those of calls: what a person added or took off is not repeated.
{#- what stands next to spend counts the same calls: those of the whole period, also before its limit began -#}
{%- set measures = ["attempts", "estimated_cost_usd", "unpriced_attempts", "unvalued_attempts", "exposure_usd"] %}
{%- set prior, doubt, tolerance = budget_pace_prior(), budget_doubt(), budget_batch_tolerance() %}
{%- set by_quarter = "partition by budget_id, event_date order by number" %}
with
    expected as (
        select
            * exclude (usual_usd),
            coalesce(sum(usual_usd) over (partition by budget_id, event_date) > 0, false) as is_usual_known,
            -- without a past, a period is expected to be spent evenly
            case
                when sum(usual_usd) over (partition by budget_id, event_date) > 0 then usual_usd else 1
            end as usual_usd,
            cast(quarter_usd - adjusted_usd as double) as used_in_quarter
        from {{ ref("int_budget_quarters") }}
    ),

    running as (
        select
            *,
            sum(quarter_usd) over period_so_far as spent_usd,
            {% for measure in measures %} sum({{ measure }}) over period_so_far as {{ measure }}_so_far, {% endfor %}
            sum(quarter_usd - adjusted_usd) over period_so_far as used_usd,
            sum(usual_usd) over period_so_far as usual_so_far_usd,
            sum(usual_usd) over (partition by budget_id, event_date) as usual_period_usd,
            -- the amounts in which the dollars came: of calls, and of quarter-hours
            sum(power(used_in_quarter, 2) / greatest(attempts, 1)) over period_so_far as call_squares,
            sum(power(used_in_quarter, 2)) over period_so_far as quarter_squares,
            sum(case when is_seen then 1 else 0 end) over (partition by budget_id, event_date) as seen_quarters
        from expected
        window period_so_far as ({{ by_quarter }})
    ),

    measured as (
        select
            *,
            cast(spent_usd as double) as spent,
            cast(limit_usd as double) as budget,
            cast(used_usd as double) as used,
            greatest(usual_period_usd - usual_so_far_usd, 0) as usual_ahead_usd,
            -- a batch may be early by this much
            greatest(
                usual_period_usd - lead(usual_so_far_usd, {{ tolerance }}, usual_period_usd) over ({{ by_quarter }}), 0
            ) as usual_surely_ahead_usd,
            greatest(dispersion_usd, coalesce(call_squares / nullif(cast(used_usd as double), 0), 0)) as dispersion,
            greatest(lump_usd, coalesce(call_squares / nullif(cast(used_usd as double), 0), 0)) as lump,
            coalesce(quarter_squares / nullif(cast(used_usd as double), 0), 0) as new_lump
        from running
    ),

    paces as (
        select
            *,
            {{ prior.share }} * usual_period_usd + {{ prior.dispersions }} * dispersion as prior_usd,
            used * (quarters_in_period - number) / number as even_rest_usd
        from measured
    ),

    rests as (
        select
            *,
            {% for rest, ahead in [("rest_usd", "usual_ahead_usd"), ("sure_rest_usd", "usual_surely_ahead_usd")] %}
                {{ ahead }} * (used + prior_usd) / nullif(usual_period_usd - {{ ahead }} + prior_usd, 0) as {{ rest }},
            {% endfor %}
            (usual_period_usd + prior_usd)
            / nullif(usual_period_usd - usual_surely_ahead_usd + prior_usd, 0) as part_so_far_inverse
        from paces
    )

select
    *,
    round(spent + even_rest_usd, 6) as naive_projection_usd,
    round(spent + case when is_usual_known then rest_usd else even_rest_usd end, 6) as projection_usd,
    -- what it is at least, as far as this scope can be projected
    round(
        spent + case
            when is_usual_known
            then
                sure_rest_usd
                - {{ doubt.errors }} * sqrt(dispersion * sure_rest_usd * part_so_far_inverse)
                - {{ doubt.lumps }} * lump
            else
                {{ doubt.new_share }} * even_rest_usd
                - {{ doubt.errors }} * sqrt(new_lump * even_rest_usd * quarters_in_period / number)
                - {{ doubt.new_lumps }} * new_lump
        end,
        6
    ) as least_projection_usd,
    -- what a usual period costs at least, before anything is known of this one
    round(
        usual_period_usd
        - {{ budget_usual_doubt() }}
        * sqrt(dispersion_usd * usual_period_usd * (1 + quarters_in_period / {{ 96.0 * budget_history_days() }})),
        6
    ) as least_usual_usd
from rests
