{{ config(materialized="view") }}
-- The figures of both sides, each with the dollars that its change explains. The
-- effects are exact: together they are the change of cost_usd.
{%- set ratios = {
    "cost_per_request_usd": ("usd", "requests"),
    "tokens_per_request": ("tokens", "requests"),
    "attempts_per_request": ("attempts", "requests"),
    "tokens_per_attempt": ("tokens", "attempts"),
    "cost_per_token_usd": ("usd", "tokens"),
    "success_ratio": ("successes", "attempts"),
} %}
{%- set effects = {
    "requests": "volume",
    "request_mix": "mix",
    "attempts_per_request": "retry",
    "tokens_per_attempt": "token",
    "cost_per_token_usd": "price",
    "exposure_usd": "unpriced",
} %}
with
    sides as (
        select alerts.alert_id, sides.*
        from {{ ref("int_problem_sides") }} as sides
        inner join
            {{ ref("int_alerts") }} as alerts on {{ same_day_scope("sides", "alerts") }} and sides.round = alerts.round
    ),

    effects as (
        select alerts.alert_id, effects.effect, effects.effect_usd
        from {{ ref("int_problem_effects") }} as effects
        inner join
            {{ ref("int_alerts") }} as alerts
            on {{ same_day_scope("effects", "alerts") }}
            and effects.round = alerts.round
    ),

    figures as (
        select alert_id, 'cost_usd' as metric, baseline_usd as baseline, current_usd as current
        from sides
        union all
        select alert_id, 'exposure_usd', baseline_exposure_usd, current_exposure_usd
        from sides
        {% for measure in ["requests", "attempts", "tokens"] %}
            union all
            select alert_id, '{{ measure }}', baseline_{{ measure }}, current_{{ measure }}
            from sides
        {% endfor %}
        {% for name, parts in ratios.items() %}
            union all
            select
                alert_id,
                '{{ name }}',
                {% for side in ["baseline", "current"] %}
                    cast(
                        cast({{ side }}_{{ parts[0] }} as double)
                        / nullif(cast({{ side }}_{{ parts[1] }} as double), 0) as decimal(38, 12)
                    )
                    {{- "," if not loop.last }}
                {% endfor %}
            from sides
        {% endfor %}
        union all
        select alert_id, 'request_mix', null, null
        from sides
    ),

    explained as (
        select
            figures.*,
            case
                metric {% for metric, effect in effects.items() %} when '{{ metric }}' then '{{ effect }}' {% endfor %}
            end as effect
        from figures
    )

select
    explained.alert_id,
    explained.metric,
    cast(explained.baseline as decimal(38, 12)) as baseline,
    cast(explained.current as decimal(38, 12)) as current,
    cast(explained.current - explained.baseline as decimal(38, 12)) as delta,
    cast(explained.current as double) / nullif(cast(explained.baseline as double), 0) as ratio,
    explained.effect,
    effects.effect_usd
from explained
left join effects using (alert_id, effect)
