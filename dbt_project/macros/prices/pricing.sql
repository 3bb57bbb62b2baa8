{#- USD of one token kind, at its own rate or that of another kind: cast(tokens * price as decimal(38, 12)). Nothing used costs
    nothing; something used without a price has no known cost. A remainder that the sender left out (an embedding has no output)
    costs nothing only where the model has no price for it. Below 10 million the short price gives the same product without the
    costly rounding: DuckDB keeps 18 digits of a product of short decimals, which a million dollars of one kind would overflow. -#}
{% macro token_kind_cost(kind, rate_of=none) -%}
    {%- set rate = rate_of or kind.name -%}
    case
        when
            {{ kind.quantity }} = 0
            {% if kind.is_what_is_left %} or ({{ kind.quantity }} is null and {{ rate }}_price_usd is null) {% endif %}
        then cast(0 as decimal(38, 12))
        when {{ rate }}_short_price_usd is not null and {{ kind.quantity }} < 10000000
        then cast(cast({{ kind.quantity }} as decimal(13, 0)) * {{ rate }}_short_price_usd as decimal(38, 12))
        else cast(cast({{ kind.quantity }} as decimal(13, 0)) * {{ rate }}_price_usd as decimal(38, 12))
    end
{%- endmacro %}

{#- Each attempt with the one price row that applies, or none (never an inner join), what each token kind costs, and what was
    applied. `attempts` has the price key, the tenant, the instant, the inclusive input and the token kinds; `prices` is shaped
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
                {% for kind in token_kinds() %}
                    prices.{{ kind.name }}_price_usd,
                    prices.{{ kind.name }}_short_price_usd,
                    {% if kind.may_fall_back %} prices.{{ kind.name }}_falls_back, {% endif %}
                {% endfor %}
                prices.other_prices
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

        by_token_kind as (
            select
                *,
                {% for kind in token_kinds() %} {{ token_kind_cost(kind) }} as {{ kind.name }}_cost_usd, {% endfor %}
                {{ other_units_cost("other_usage", "other_prices") }} as other_cost_usd,
                {{ fallbacks_used() }} as fallback_token_kinds
            from matched
        )

    select
        * exclude (
            other_prices
            {%- for kind in token_kinds() -%}
                ,
                {{ kind.name }}_short_price_usd
                {%- if kind.may_fall_back -%}, {{ kind.name }}_falls_back {%- endif -%}
            {%- endfor %}
        ),
        {{ sum_of_token_kind_costs() }} as cost_usd,
        - ({{ cost_of_caching("read") }}) as cache_savings_usd,
        {{ cost_of_caching("write") }} as cache_write_premium_usd
    from by_token_kind
{% endmacro %}

{#- USD that cache reads, or writes, cost more than the same tokens at the uncached rate of the price row; less is below 0. -#}
{% macro cost_of_caching(cache) -%}
    {%- set kinds = token_kinds() | selectattr("cache", "equalto", cache) | list -%}
    case
        when {% for kind in kinds %} {{ kind.quantity }} = 0 {{- " and" if not loop.last }} {% endfor %}
        then cast(0 as decimal(38, 12))
        else
            {%- for kind in kinds %}
                {{ "+ " if not loop.first }} {{ kind.name }}_cost_usd - {{ token_kind_cost(kind, kind.uncached) }}
            {%- endfor %}
    end
{%- endmacro %}

{#- A price book prepared for joins: no open ends, and each price a second time at 12 places where that is the same
    price and below 10 cents, so that its product with a count below 10 million has 18 digits. Nearly all are, and a product that
    needs no rounding is 50 times cheaper than one cast down from 18 places. -#}
{% macro joinable_prices(prices) %}
    with
        prices as (select * from {{ prices }}),

        shortened as (
            select
                *,
                {% for kind in token_kinds() %}
                    cast({{ kind.name }}_price_usd as decimal(17, 12)) as {{ kind.name }}_short_price_usd
                    {{- "," if not loop.last }}
                {% endfor %}
            from prices
        )

    select
        * exclude (
            {% for kind in token_kinds() %}{{ kind.name }}_short_price_usd, {% endfor %}
            fallback_token_kinds,
            valid_from,
            valid_to,
            input_tokens_to
        ),
        {% for kind in token_kinds() %}
            case
                when {{ kind.name }}_short_price_usd = {{ kind.name }}_price_usd and {{ kind.name }}_price_usd < 0.1
                then {{ kind.name }}_short_price_usd
            end as {{ kind.name }}_short_price_usd,
            {% if kind.may_fall_back %}
                coalesce(
                    {{ in_text_list(text(kind.name), "fallback_token_kinds") }}, false
                ) as {{ kind.name }}_falls_back,
            {% endif %}
        {% endfor %}
        coalesce(valid_from, timestamp '0001-01-01') as valid_from,
        coalesce(valid_to, timestamp '9999-01-01') as valid_to,
        coalesce(input_tokens_to, 9223372036854775807) as input_tokens_to
    from shortened
{% endmacro %}

{% macro cost_columns() %}
    {%- set columns = [] -%}
    {%- for kind in token_kinds() -%} {%- do columns.append(kind.name ~ "_cost_usd") -%} {%- endfor -%}
    {{ return(columns + ["other_cost_usd"]) }}
{% endmacro %}

{#- USD of an attempt. Where nothing but everyday kinds was used the others cost 0, and adding 38 digits eleven times without
    need is the slowest part of pricing. -#}
{% macro sum_of_token_kind_costs() -%}
    {%- set everyday, unused = [], ["other_usage is null"] -%}
    {%- for kind in token_kinds() -%}
        {%- if kind.is_everyday -%} {%- do everyday.append(kind.name ~ "_cost_usd") -%}
        {%- else -%} {%- do unused.append(kind.quantity ~ " = 0") -%}
        {%- endif -%}
    {%- endfor -%}
    case when {{ unused | join(" and ") }} then {{ everyday | join(" + ") }} else {{ cost_columns() | join(" + ") }} end
{%- endmacro %}

{#- Names of the token kinds of an attempt that were used and priced at their parent's rate; NULL for none. -#}
{% macro fallbacks_used() -%}
    {%- set used = [] -%}
    {%- for kind in token_kinds() if kind.may_fall_back -%}
        {%- do used.append(kind.name ~ "_falls_back and " ~ kind.quantity ~ " > 0") -%}
    {%- endfor -%}
    case
        when {{ used | join(" or ") }}
        then
            concat_ws(
                ', '
                {%- for kind in token_kinds() if kind.may_fall_back -%}
                    , case when {{ kind.name }}_falls_back and {{ kind.quantity }} > 0 then '{{ kind.name }}' end
                {%- endfor %}
            )
    end
{%- endmacro %}
