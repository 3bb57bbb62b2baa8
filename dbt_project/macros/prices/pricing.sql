{#- USD of one leaf: cast(tokens * price as decimal(38, 12)). Nothing used costs nothing; something used without a price has
    no known cost. A remainder that the sender left out (an embedding has no output) costs nothing only where the model has no
    price for it. Below 10 million the short price gives the same product without the costly rounding: DuckDB keeps 18 digits of
    a product of short decimals, which a leaf of a million dollars would overflow. -#}
{% macro leaf_cost(leaf) -%}
    case
        when
            {{ leaf.quantity }} = 0
            {% if leaf.is_what_is_left %}
                or ({{ leaf.quantity }} is null and {{ leaf.name }}_price_usd is null)
            {% endif %}
        then cast(0 as decimal(38, 12))
        when {{ leaf.name }}_short_price_usd is not null and {{ leaf.quantity }} < 10000000
        then cast(cast({{ leaf.quantity }} as decimal(13, 0)) * {{ leaf.name }}_short_price_usd as decimal(38, 12))
        else cast(cast({{ leaf.quantity }} as decimal(13, 0)) * {{ leaf.name }}_price_usd as decimal(38, 12))
    end
{%- endmacro %}

{#- Each attempt with the one price row that applies, or none (never an inner join), what each leaf costs, and what was
    applied. `attempts` has the price key, the tenant, the instant, the inclusive input and the leaves; `prices` is shaped
    like int_price_book, and a relation: named twice rather than read once as a CTE, because DuckDB would materialise that, and
    then carries every column of every attempt past it, wanted or not. A tenant has prices of its own only while an override
    makes them differ. -#}
{% macro priced(attempts, prices, also=[]) %}
    {%- set key = (price_key_columns().split(", ") + also) | join(", ") -%}
    with
        attempts as (select * from {{ attempts }}),

        tenants as (
            select {{ key }}, tenant_id, min(valid_from) as own_from, max(valid_to) as own_to
            from {{ prices }}
            where tenant_id is not null
            group by {{ key }}, tenant_id
        ),

        scoped as (
            select attempts.*, tenants.tenant_id as price_tenant_id
            from attempts
            left join
                tenants
                on {{ same_price_key("attempts", "tenants", also) }}
                and attempts.tenant_id = tenants.tenant_id
                and attempts.occurred_at >= tenants.own_from
                and attempts.occurred_at < tenants.own_to
        ),

        matched as (
            select
                scoped.* exclude (price_tenant_id),
                prices.price_row_key,
                prices.price_model_id,
                prices.price_book_version,
                prices.resolution as price_resolution,
                prices.variant as price_variant,
                prices.missing_variant,
                prices.approximate_reason as price_approximate_reason,
                prices.input_tokens_from as price_tier_from_tokens,
                prices.other_prices,
                {% for leaf in leaves() %}
                    prices.{{ leaf.name }}_price_usd,
                    prices.{{ leaf.name }}_short_price_usd,
                    {% if leaf.may_fall_back %} prices.{{ leaf.name }}_falls_back, {% endif %}
                {% endfor %}
            from scoped
            left join
                {{ prices }} as prices
                on {{ same_price_key("scoped", "prices", also) }}
                and scoped.price_tenant_id is not distinct from prices.tenant_id
                and scoped.occurred_at >= prices.valid_from
                and scoped.occurred_at < prices.valid_to
                and {{ second_of_day("scoped.occurred_at") }} >= prices.day_second_from
                and {{ second_of_day("scoped.occurred_at") }} < prices.day_second_to
                and coalesce(scoped.input_tokens, 0) >= prices.input_tokens_from
                and coalesce(scoped.input_tokens, 0) < prices.input_tokens_to
        ),

        by_leaf as (
            select
                *,
                {% for leaf in leaves() %} {{ leaf_cost(leaf) }} as {{ leaf.name }}_cost_usd, {% endfor %}
                {{ other_units_cost("other_usage", "other_prices") }} as other_cost_usd,
                {{ fallbacks_used() }} as fallback_leaves
            from matched
        )

    select
        * exclude (
            other_prices
            {%- for leaf in leaves() -%}
                ,
                {{ leaf.name }}_short_price_usd
                {%- if leaf.may_fall_back -%}, {{ leaf.name }}_falls_back {%- endif -%}
            {%- endfor %}
        ),
        {{ sum_of_leaf_costs() }} as cost_usd
    from by_leaf
{% endmacro %}

{#- One disjoint leaf from an inclusive count: 0 where nobody reported it, unknown where no usage is known. -#}
{% macro leaf_of(count, parts, leaf) -%}
    {%- set others = other_parts_of(leaf) -%}
    coalesce(
        {{ count }}
        {%- for part in parts %} - coalesce({{ part }}, 0) {%- endfor -%}
        {%- if others %} - {{ other_units_sum("other_usage", others) }} {%- endif -%},
        none_unless_missing
    ) as {{ leaf }}_tokens
{%- endmacro %}

{#- A price book as joins want it: no open ends, and each price a second time at 12 places where that is the same
    price and below 10 cents, so that its product with a count below 10 million has 18 digits. Nearly all are, and a product that
    needs no rounding is 50 times cheaper than one cast down from 18 places. -#}
{% macro joinable_prices(prices) %}
    with
        prices as (select * from {{ prices }}),

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
            {% for leaf in leaves() %}{{ leaf.name }}_short_price_usd, {% endfor %}
            fallback_leaves,
            valid_from,
            valid_to,
            input_tokens_to
        ),
        {% for leaf in leaves() %}
            case
                when {{ leaf.name }}_short_price_usd = {{ leaf.name }}_price_usd and {{ leaf.name }}_price_usd < 0.1
                then {{ leaf.name }}_short_price_usd
            end as {{ leaf.name }}_short_price_usd,
            {% if leaf.may_fall_back %}
                coalesce({{ in_text_list(text(leaf.name), "fallback_leaves") }}, false) as {{ leaf.name }}_falls_back,
            {% endif %}
        {% endfor %}
        coalesce(valid_from, timestamp '0001-01-01') as valid_from,
        coalesce(valid_to, timestamp '9999-01-01') as valid_to,
        coalesce(input_tokens_to, 9223372036854775807) as input_tokens_to
    from shortened
{% endmacro %}

{% macro cost_columns() %}
    {%- set columns = [] -%}
    {%- for leaf in leaves() -%} {%- do columns.append(leaf.name ~ "_cost_usd") -%} {%- endfor -%}
    {{ return(columns + ["other_cost_usd"]) }}
{% endmacro %}

{#- USD of an attempt. Where nothing but everyday leaves was used the others cost 0, and adding 38 digits eleven times for
    nothing is the dearest part of pricing. -#}
{% macro sum_of_leaf_costs() -%}
    {%- set everyday, unused = [], ["other_usage is null"] -%}
    {%- for leaf in leaves() -%}
        {%- if leaf.is_everyday -%} {%- do everyday.append(leaf.name ~ "_cost_usd") -%}
        {%- else -%} {%- do unused.append(leaf.quantity ~ " = 0") -%}
        {%- endif -%}
    {%- endfor -%}
    case when {{ unused | join(" and ") }} then {{ everyday | join(" + ") }} else {{ cost_columns() | join(" + ") }} end
{%- endmacro %}

{#- Names of the leaves of an attempt that were used and paid at the rate of their parent; NULL for none. -#}
{% macro fallbacks_used() -%}
    {%- set used = [] -%}
    {%- for leaf in leaves() if leaf.may_fall_back -%}
        {%- do used.append(leaf.name ~ "_falls_back and " ~ leaf.quantity ~ " > 0") -%}
    {%- endfor -%}
    case
        when {{ used | join(" or ") }}
        then
            concat_ws(
                ', '
                {%- for leaf in leaves() if leaf.may_fall_back -%}
                    , case when {{ leaf.name }}_falls_back and {{ leaf.quantity }} > 0 then '{{ leaf.name }}' end
                {%- endfor %}
            )
    end
{%- endmacro %}

{#- priced; no_usage: a count that has a price is not known; unpriced: something used has no price. -#}
{% macro pricing_status() -%}
    case
        when cost_usd is not null
        then 'priced'
        when usage_source = 'missing'
        then 'no_usage'
        {%- for leaf in leaves() if leaf.is_what_is_left %}
            when {{ leaf.quantity }} is null and {{ leaf.name }}_price_usd is not null then 'no_usage'
        {%- endfor %}
        else 'unpriced'
    end
{%- endmacro %}

{#- A priced attempt whose name, variant or usage does not say all that its price depends on. -#}
{% macro is_approximate() -%}
    (
        cost_usd is not null
        and (price_approximate_reason is not null or missing_variant is not null or usage_source = 'provider_partial')
    )
{%- endmacro %}

{#- Why it is; NULL where it is not. -#}
{% macro approximate_reason() -%}
    case
        when {{ is_approximate() }}
        then
            concat_ws(
                ', ',
                price_approximate_reason,
                case when missing_variant is not null then 'missing_variant' end,
                case when usage_source = 'provider_partial' then 'partial_usage' end
            )
    end
{%- endmacro %}
