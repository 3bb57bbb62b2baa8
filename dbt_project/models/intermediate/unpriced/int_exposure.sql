-- What the unpriced usage of a model, token kind by token kind, would have cost at each
-- neighbour's prices; of these costs the 10 %, 50 % and 90 % quantiles. A quantile of
-- costs is one of the costs: no division of money. Each neighbour counts once: on 20
-- months of real requests, with every priced model in turn treated as unknown, low to
-- high held the true cost of 61 of 72 models (95 % of attempts), and of 53 (70 %) with
-- neighbours weighted by their attempts: it is rarely the popular model that is
-- missing.
{%- set model_key = ["environment", "data_mode", "provider", "model"] %}
with
    unpriced as (
        select
            {{ model_key | join(", ") }},
            sum(coalesce(unpriced_input_tokens, 0) + coalesce(unpriced_output_tokens, 0)) as tokens,
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

    neighbours as (select * from {{ ref("int_neighbour_prices") }}),

    costs as (
        select
            {% for column in model_key %} neighbours.{{ column }}, {% endfor %}
            neighbours.neighbour_provider,
            neighbours.neighbour_model,
            neighbours.nearness,
            neighbours.last_used_date,
            unpriced.tokens,
            {%- for kind in token_kinds() %}
                cast(
                    unpriced.{{ kind.quantity }} * coalesce(
                        neighbours.{{ kind.name }}_price_usd,
                        {% if kind.is_fee %} cast(0 as decimal(23, 18))
                        {% else %} neighbours.{{ kind.whole }}_price_usd
                        {% endif %}
                    ) as decimal(38, 12)
                )
                {{ "+" if not loop.last }}
            {%- endfor %} as cost_usd
        from unpriced
        inner join
            neighbours on true
            {%- for column in model_key %} and unpriced.{{ column }} = neighbours.{{ column }} {%- endfor %}
    ),

    ranked as (
        select
            *,
            row_number() over (
                partition by {{ model_key | join(", ") }}
                order by cost_usd nulls last, neighbour_provider, neighbour_model
            ) as place,
            count(*) over (partition by {{ model_key | join(", ") }}) as places
        from costs
    ),

    exposures as (
        select
            {{ model_key | join(", ") }},
            {%- for name, percent in [("exposure_usd_low", 10), ("exposure_usd", 50), ("exposure_usd_high", 90)] %}
                cast(
                    min(case when place * 100 >= places * {{ percent }} then cost_usd end) as decimal(38, 12)
                ) as {{ name }},
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
            || ').' as exposure_basis,
            cast(min(case when place * 100 >= places * 50 then cost_usd end) as double)
            / nullif(max(tokens), 0) as usd_per_token
        from ranked
        group by {{ model_key | join(", ") }}
    )

select
    * exclude (usd_per_token),
    -- for detection: two digits of an estimate stay the same while usage grows, so that
    -- history is not judged again every day
    round(usd_per_token, cast(1 - floor(log10(nullif(usd_per_token, 0))) as integer)) as exposure_usd_per_token
from exposures
