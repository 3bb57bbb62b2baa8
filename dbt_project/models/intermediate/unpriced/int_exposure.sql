-- What the unpriced usage of a model, token kind by token kind, would have cost at each
-- neighbour's prices; of these costs the 10 %, 50 % and 90 % quantiles. A quantile of
-- costs is one of the costs: no division of money. Each neighbour counts once: on 20
-- months of real requests, with every priced model in turn treated as unknown, low to
-- high held the true cost of 61 of 72 models (95 % of attempts), and of 53 (70 %) with
-- neighbours weighted by their attempts: it is rarely the popular model that is
-- missing.
{%- set model_key = ["environment", "data_mode", "provider", "model"] %}
{%- set quantiles = [("low", "_low", 10), ("likely", "", 50), ("high", "_high", 90)] %}
with
    unpriced as (
        select
            {{ model_key | join(", ") }},
            {% for kind in token_kinds() %}
                -- 15 digits times a price are 38; what was used more often has no known
                -- exposure
                {{ cast_or_null("coalesce(sum(unpriced_" ~ kind.quantity ~ "), 0)", "decimal(15, 0)") }}
                as {{ kind.quantity }} {{- "," if not loop.last }}
            {% endfor %}
        from {{ ref("int_model_usage_daily") }}
        where unpriced_attempts > 0
        group by {{ model_key | join(", ") }}
    ),

    -- what has no price of its own costs what it is part of
    neighbours as (
        select
            {{ model_key | join(", ") }},
            neighbour_provider,
            neighbour_model,
            input_tokens_from,
            nearness,
            last_used_date,
            {% for kind in token_kinds() %}
                coalesce(
                    {{ kind.name }}_price_usd,
                    {% if kind.is_fee %} cast(0 as decimal(23, 18))
                    {% else %} {{ kind.whole }}_price_usd
                    {% endif %}
                ) as {{ kind.name }}_rate_usd {{- "," if not loop.last }}
            {% endfor %}
        from {{ ref("int_neighbour_prices") }}
    ),

    costs as (
        select
            neighbours.*,
            {%- for kind in token_kinds() %}
                cast(unpriced.{{ kind.quantity }} * neighbours.{{ kind.name }}_rate_usd as decimal(38, 12))
                {{ "+" if not loop.last }}
            {%- endfor %} as cost_usd
        from unpriced
        inner join
            neighbours on true
            {%- for column in model_key %} and unpriced.{{ column }} = neighbours.{{ column }} {%- endfor %}
    ),

    ordered as (
        select
            *,
            row_number() over (
                partition by {{ model_key | join(", ") }}
                order by cost_usd nulls last, neighbour_provider, neighbour_model, input_tokens_from nulls last
            ) as place,
            count(*) over (partition by {{ model_key | join(", ") }}) as places
        from costs
    ),

    ranked as (
        select
            *,
            {% for quantile, _, percent in quantiles %}
                place * 100 >= places * {{ percent }}
                and (place - 1) * 100 < places * {{ percent }} as is_{{ quantile }} {{- "," if not loop.last }}
            {% endfor %}
        from ordered
    ),

    exposures as (
        select
            {{ model_key | join(", ") }},
            {%- for quantile, suffix, _ in quantiles %}
                cast(max(case when is_{{ quantile }} then cost_usd end) as decimal(38, 12)) as exposure_usd{{ suffix }},
                {%- for kind in token_kinds() %}
                    max(
                        case when is_{{ quantile }} then {{ kind.name }}_rate_usd end
                    ) as {{ kind.name }}_rate_usd{{ suffix }},
                {%- endfor %}
            {%- endfor %}
            'The 10, 50 and 90 % quantiles of what its own tokens, kind by kind, would have cost at ' || case
                max(nearness)
                when 0
                then 'the prices it has on other dates or for other units'
                when 1
                then 'the prices of ' || count(distinct neighbour_model) || ' models of ' || provider || ' used here'
                when 2
                then
                    'the prices of '
                    || count(distinct(neighbour_provider, neighbour_model))
                    || ' models of its provider and endpoints'
                else
                    'the prices of the '
                    || count(distinct(neighbour_provider, neighbour_model))
                    || ' models in the price book'
            end
            || ' (prices of '
            || max(last_used_date)
            || ').' as exposure_basis
        from ranked
        group by {{ model_key | join(", ") }}
    )

select
    *,
    -- the rates at which `cost_daily` splits the exposure by row
    md5(
        concat_ws(
            '|'
            {%- for _, suffix, _ in quantiles %}
                {%- for kind in token_kinds() %}, {{ kind.name }}_rate_usd{{ suffix }} {%- endfor %}
            {%- endfor %}
        )
    ) as rates_fingerprint,
    -- those at which budgets, weeks and alerts count it: prices of one neighbour, which
    -- stay the same while usage grows
    md5(
        concat_ws('|', exposure_usd is null {%- for kind in token_kinds() %}, {{ kind.name }}_rate_usd {%- endfor %})
    ) as likely_rates_fingerprint
from exposures
