{{ config(materialized="table") }}
-- The price book as joins want it: no open ends, and each price a second time at 12 places where that is the same
-- price. Nearly all are, and a product that needs no rounding is 20 times cheaper than one cast down from 18 places.
with
    prices as (select * from {{ ref("stg_price_book") }}),

    shortened as (
        select
            *,
            {% for leaf in leaves() %}
                cast({{ leaf.name }}_price_usd as decimal(17, 12)) as {{ leaf.name }}_short_price_usd,
            {% endfor %}
        from prices
    )

select
    * exclude (
        {% for leaf in leaves() %}{{ leaf.name }}_short_price_usd, {% endfor %} fallback_leaves,
        valid_from,
        valid_to,
        input_tokens_to
    ),
    {% for leaf in leaves() %}
        case
            when {{ leaf.name }}_short_price_usd = {{ leaf.name }}_price_usd then {{ leaf.name }}_short_price_usd
        end as {{ leaf.name }}_short_price_usd,
        {% if leaf.may_fall_back %}
            coalesce({{ in_text_list(text(leaf.name), "fallback_leaves") }}, false) as {{ leaf.name }}_falls_back,
        {% endif %}
    {% endfor %}
    coalesce(valid_from, timestamp '0001-01-01') as valid_from,
    coalesce(valid_to, timestamp '9999-01-01') as valid_to,
    coalesce(input_tokens_to, 9223372036854775807) as input_tokens_to
from shortened
