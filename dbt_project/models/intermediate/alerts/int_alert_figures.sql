{{ config(materialized="view") }}
-- The figures of both sides, of all calls and of each token kind, each with the dollars
-- that its change explains. The effects are exact: those of all calls are the change of
-- cost_usd, and those of a kind the change of its cost_usd.
{%- set ratios = {
    "cost_per_request_usd": ("usd", "requests"),
    "tokens_per_request": ("tokens", "requests"),
    "attempts_per_request": ("attempts", "requests"),
    "tokens_per_attempt": ("tokens", "attempts"),
    "input_tokens_per_attempt": ("input_units", "attempts"),
    "output_tokens_per_attempt": ("output_units", "attempts"),
    "share_of_input_read_from_cache": ("cache_read_units", "input_units"),
    "cost_per_token_usd": ("usd", "tokens"),
    "success_ratio": ("successes", "attempts"),
} %}
{%- set ratios_of_kinds = {
    "tokens_per_attempt": ("units", "attempts"),
    "share_of_input": ("units", "input_units"),
    "price_usd_per_token": ("usd", "units"),
} %}
{%- set effects = {
    "requests": "volume",
    "request_mix": "mix",
    "attempts_per_request": "retry",
    "input_tokens_per_attempt": "input",
    "output_tokens_per_attempt": "output",
    "share_of_input_read_from_cache": "cache",
    "cost_per_token_usd": "price",
    "exposure_usd": "unpriced",
} %}
with
    alerts as (select alert_id, event_date, environment, data_mode, round from {{ ref("int_alerts") }}),

    kinds as (
        select alerts.alert_id, kinds.*
        from {{ ref("int_problem_kinds") }} as kinds
        inner join alerts on {{ same_day_scope("kinds", "alerts") }} and kinds.round = alerts.round
    ),

    sides as (select * from {{ ref("int_alert_sides") }}),

    sides_of_kinds as (
        select
            kinds.*,
            {% for side in ["baseline", "current"] %}
                sides.{{ side }}_attempts,
                case when kinds.side = 'input' then sides.{{ side }}_input_units end as {{ side }}_input_units
                {{- "," if not loop.last }}
            {% endfor %}
        from kinds
        inner join sides on kinds.alert_id = sides.alert_id
    ),

    figures as (
        select
            alert_id,
            cast(null as {{ dbt.type_string() }}) as token_kind,
            'cost_usd' as metric,
            baseline_usd as baseline,
            current_usd as current
        from sides
        union all
        select alert_id, null, 'exposure_usd', baseline_exposure_usd, current_exposure_usd
        from sides
        {% for measure in ["requests", "attempts", "tokens"] %}
            union all
            select alert_id, null, '{{ measure }}', baseline_{{ measure }}, current_{{ measure }}
            from sides
        {% endfor %}
        {% for name, parts in ratios.items() %}
            union all
            select alert_id, null, '{{ name }}', {{ ratio_of("baseline", parts) }}, {{ ratio_of("current", parts) }}
            from sides
        {% endfor %}
        union all
        select alert_id, null, 'request_mix', null, null
        from sides
        union all
        select alert_id, token_kind, 'cost_usd', baseline_usd, current_usd
        from sides_of_kinds
        union all
        select alert_id, token_kind, 'tokens', baseline_units, current_units
        from sides_of_kinds
        {% for name, parts in ratios_of_kinds.items() %}
            union all
            select
                alert_id, token_kind, '{{ name }}', {{ ratio_of("baseline", parts) }}, {{ ratio_of("current", parts) }}
            from sides_of_kinds
            {% if name == "share_of_input" %} where side = 'input' {% endif %}
        {% endfor %}
        {% for name in ["requests", "request_mix", "attempts_per_request"] %}
            union all
            select alert_id, token_kind, '{{ name }}', null, null
            from sides_of_kinds
        {% endfor %}
    ),

    effects as (select * from {{ ref("int_alert_effects") }}),

    explained as (
        select
            figures.*,
            case
                {% for metric, effect in effects.items() %}
                    when figures.metric = '{{ metric }}' then '{{ effect }}'
                {% endfor %}
                when figures.metric = 'price_usd_per_token'
                then 'price'
                when figures.metric = 'share_of_input'
                then 'cache'
                when figures.metric = 'tokens_per_attempt' and figures.token_kind is not null
                then coalesce(kinds.side, 'output')
            end as effect
        from figures
        left join kinds on figures.alert_id = kinds.alert_id and figures.token_kind = kinds.token_kind
    )

select
    explained.alert_id,
    explained.token_kind,
    explained.metric,
    cast(explained.baseline as decimal(38, 12)) as baseline,
    cast(explained.current as decimal(38, 12)) as current,
    cast(explained.current - explained.baseline as decimal(38, 12)) as delta,
    cast(explained.current as double) / nullif(cast(explained.baseline as double), 0) as ratio,
    explained.effect,
    coalesce(effects.effect_usd, case when explained.effect is not null then 0 end) as effect_usd
from explained
left join
    effects
    on explained.alert_id = effects.alert_id
    and explained.effect = effects.effect
    and explained.token_kind is not distinct from effects.token_kind
