{{ config(materialized="view") }}
-- One price row for each attempt, or none: never an inner join. What a leaf costs is its tokens times its price,
-- and nothing else.
with
    attempts as (select * from {{ ref("int_attempts") }}),

    prices as (select * from {{ ref("int_price_book") }}),

    matched as (
        select
            attempts.*,
            prices.price_row_key,
            prices.price_model_id,
            prices.price_book_version,
            prices.fallback_leaves,
            prices.other_prices,
            {% for leaf in leaves() %}
                prices.{{ leaf.name }}_price_usd, prices.{{ leaf.name }}_short_price_usd,
            {% endfor %}
        from attempts
        left join
            prices
            on {{ same_price_key("attempts", "prices") }}
            and attempts.occurred_at >= prices.valid_from
            and attempts.occurred_at < prices.valid_to
            and {{ second_of_day("attempts.occurred_at") }} >= prices.day_second_from
            and {{ second_of_day("attempts.occurred_at") }} < prices.day_second_to
            and coalesce(attempts.input_tokens, 0) >= prices.input_tokens_from
            and coalesce(attempts.input_tokens, 0) < prices.input_tokens_to
    ),

    parts as (
        select
            *,
            {%- for part in cost_parts() %}
                {% for leaf in leaves() | selectattr("part", "equalto", part) -%}
                    {{ leaf_cost(leaf) }} {{ "+" if not loop.last }}
                {% endfor -%}
                {% if part == "fee" %}
                    + {{ other_units_cost("other_usage", "other_prices") }}
                {% endif %} as {{ part }}_cost_usd,
            {%- endfor %}
        from matched
    )

select *, {% for part in cost_parts() %} {{ part }}_cost_usd{{ " + " if not loop.last }}{% endfor %} as cost_usd
from parts
