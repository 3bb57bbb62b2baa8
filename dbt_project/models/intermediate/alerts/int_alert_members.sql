{{ config(materialized="view") }}
-- The members behind an alert, for its window and its baseline, with every filter of
-- the alert.
with
    leaves as (
        select
            alerts.alert_id,
            leaves.*,
            current_cost_usd + current_exposure_usd as current_watched_usd,
            cast(baseline_cost_usd + baseline_exposure_usd as decimal(38, 12)) as baseline_watched_usd
        from {{ ref("int_problem_leaves") }} as leaves
        inner join
            {{ ref("int_alerts") }} as alerts
            on {{ same_day_scope("leaves", "alerts") }}
            and leaves.round = alerts.round
    ),

    members as (
        {% for dimension in leaf_dimensions() %}
            {%- set member = (
                "endpoint_tag || ' | ' || prompt_version"
                if dimension.name == "prompt_version"
                else dimension.column
            ) %}
            select
                alert_id,
                '{{ dimension.name }}' as dimension,
                {{ member }} as member,
                cast(sum(current_requests) as bigint) as current_requests,
                cast(sum(baseline_requests) as double) as baseline_requests,
                cast(sum(current_watched_usd) as decimal(38, 12)) as current_usd,
                cast(sum(baseline_watched_usd) as decimal(38, 12)) as baseline_usd
            from leaves
            group by alert_id, {{ member }} {{ "union all" if not loop.last }}
        {% endfor %}
    ),

    ranked as (
        select
            *,
            current_usd - baseline_usd as delta_usd,
            cast(
                row_number() over (
                    partition by alert_id, dimension order by current_usd - baseline_usd desc, member nulls last
                ) as integer
            ) as rank
        from members
    )

select alert_id, dimension, rank, member, current_requests, baseline_requests, current_usd, baseline_usd, delta_usd
from ranked
where rank <= {{ alert_parameter("focus_members") }}
