{#- Why a cost changed, in dollars by effect that sum to the change exactly (docs/alerts.md works one through). Of
    each leaf (endpoint, model; a new prompt version is a change of its endpoint's tokens, not a new leaf) the
    priced cost is n * r * t * p: requests, attempts per request, tokens per attempt, dollars per token. The Shapley
    value of each factor is its share of the change, averaged over every order in which the factors could have
    changed: exact, additive, safe at zero, and the same with both sides swapped but for the sign. Of the request
    effect, what all requests together did is volume and what the leaf's share of them did is mix. A leaf that is
    new or gone borrows the other side's rates, so that its whole change is volume or mix; what cannot be requests
    (attempts whose first attempt lies elsewhere) is retry. The likely cost of unpriced calls is an effect of its
    own. -#}
{% macro decomposed(leaves, dates) %}
    {%- set problem_key = "event_date, environment, data_mode, round" -%}
    {%- set factors = ["n", "r", "t", "p"] -%}
    with
        cells as (
            select
                {{ problem_key }},
                endpoint_tag,
                model,
                -- summed as decimals, so that no last digit depends on the order of
                -- rows
                {% for side in ["baseline", "current"] %}
                    {% for name, measure in [("n", "requests"), ("a", "attempts"), ("k", "tokens")] %}
                        cast(sum(cast({{ side }}_{{ measure }} as decimal(38, 12))) as double) as {{ name }}_{{ side }},
                    {% endfor %}
                    cast(sum(cast({{ side }}_cost_usd as decimal(38, 12))) as decimal(38, 12)) as c_{{ side }},
                    cast(sum(cast({{ side }}_exposure_usd as decimal(38, 12))) as decimal(38, 12)) as x_{{ side }}
                    {{- "," if not loop.last }}
                {% endfor %}
            from {{ leaves }}
            where {{ in_dates("event_date", dates) }}
            group by {{ problem_key }}, endpoint_tag, model
        ),

        sides as (
            select
                *,
                {% for side in ["baseline", "current"] %}
                    cast(
                        sum(cast(n_{{ side }} as decimal(38, 12))) over (partition by {{ problem_key }}) as double
                    ) as all_{{ side }},
                    n_{{ side }} > 0 and a_{{ side }} > 0 as has_{{ side }}
                    {{- "," if not loop.last }}
                {% endfor %},
                -- dollars without requests on their own side
                (n_baseline = 0 and c_baseline <> 0) or (n_current = 0 and c_current <> 0) as is_retry_alone
            from cells
        ),

        own_rates as (
            select
                *,
                {% for side in ["baseline", "current"] %}
                    case when has_{{ side }} then a_{{ side }} / n_{{ side }} end as own_r_{{ side }},
                    case when has_{{ side }} then greatest(k_{{ side }}, 1) / a_{{ side }} end as own_t_{{ side }},
                    case
                        when has_{{ side }} then cast(c_{{ side }} as double) / greatest(k_{{ side }}, 1)
                    end as own_p_{{ side }}
                    {{- "," if not loop.last }}
                {% endfor %}
            from sides
        ),

        rates as (
            select
                *,
                {% for rate in ["r", "t", "p"] %}
                    coalesce(own_{{ rate }}_baseline, own_{{ rate }}_current, 0) as {{ rate }}_baseline,
                    coalesce(own_{{ rate }}_current, own_{{ rate }}_baseline, 0) as {{ rate }}_current
                    {{- "," if not loop.last }}
                {% endfor %}
            from own_rates
        ),

        brackets as (
            select
                *,
                case when all_baseline > 0 then n_baseline / all_baseline else 0 end as s_baseline,
                case when all_current > 0 then n_current / all_current else 0 end as s_current,
                {% for factor in factors %}
                    {{ shapley_bracket(factors | reject("equalto", factor) | list) }}
                    as bracket_{{ factor }} {{- "," if not loop.last }}
                {% endfor %}
            from rates
        ),

        leaf_effects as (
            select
                {{ problem_key }},
                c_current - c_baseline as delta_usd,
                x_current - x_baseline as unpriced_usd,
                {% set effects = {
                    "volume": "(all_current - all_baseline) * (s_baseline + s_current) / 2 * bracket_n",
                    "mix": "(s_current - s_baseline) * (all_baseline + all_current) / 2 * bracket_n",
                    "retry": "(r_current - r_baseline) * bracket_r",
                    "token": "(t_current - t_baseline) * bracket_t",
                    "price": "(p_current - p_baseline) * bracket_p",
                } %}
                {% for effect, dollars in effects.items() %}
                    case
                        when is_retry_alone
                        then {{ "c_current - c_baseline" if effect == "retry" else "cast(0 as decimal(38, 12))" }}
                        else cast({{ dollars }} as decimal(38, 12))
                    end as {{ effect }}_usd
                    {{- "," if not loop.last }}
                {% endfor %}
            from brackets
        ),

        summed as (
            select
                {{ problem_key }},
                cast(sum(delta_usd + unpriced_usd) as decimal(38, 12)) as delta_usd,
                cast(sum(unpriced_usd) as decimal(38, 12)) as unpriced,
                {% for effect in effects %}
                    cast(sum({{ effect }}_usd) as decimal(38, 12)) as {{ effect }} {{- "," if not loop.last }}
                {% endfor %}
            from leaf_effects
            group by {{ problem_key }}
        ),

        listed as (
            {% for effect in effects.keys() | list + ["unpriced"] %}
                select {{ problem_key }}, delta_usd, '{{ effect }}' as effect, {{ effect }} as effect_usd
                from summed {{ "union all" if not loop.last }}
            {% endfor %}
        ),

        ranked as (
            select
                *,
                row_number() over (partition by {{ problem_key }} order by abs(effect_usd) desc, effect) as place,
                sum(effect_usd) over (partition by {{ problem_key }}) as effects_usd
            from listed
        )

    -- the last rounding unit goes to the largest effect
    select
        {{ problem_key }},
        effect,
        cast(effect_usd + case when place = 1 then delta_usd - effects_usd else 0 end as decimal(38, 12)) as effect_usd,
        delta_usd
    from ranked
{% endmacro %}

{#- The weight of one factor's change given the other three, over all orders. Pairs that swap with the sides are
    kept together, so that the sum is the same DOUBLE either way. -#}
{% macro shapley_bracket(others) -%}
    {%- set x, y, z = others[0], others[1], others[2] -%}
    (
        ({{ x }}_baseline * {{ y }}_baseline * {{ z }}_baseline + {{ x }}_current * {{ y }}_current * {{ z }}_current)
        / 4
        + (
            (
                {{ x }}_current * {{ y }}_baseline * {{ z }}_baseline
                + {{ x }}_baseline * {{ y }}_current * {{ z }}_current
            ) + (
                {{ x }}_baseline * {{ y }}_current * {{ z }}_baseline
                + {{ x }}_current * {{ y }}_baseline * {{ z }}_current
            )
            + (
                {{ x }}_baseline * {{ y }}_baseline * {{ z }}_current
                + {{ x }}_current * {{ y }}_current * {{ z }}_baseline
            )
        )
        / 12
    )
{%- endmacro %}
