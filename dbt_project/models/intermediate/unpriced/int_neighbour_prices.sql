-- The models by whose prices an unpriced model is measured, nearest first: its own
-- (other dates or units of it have a price); the same provider's models that are used
-- here; the models its endpoints use; every model in the book. A group is joined by the
-- next until there are five prices: one neighbour's price does not give a range. Of
-- each neighbour the standard price that held when the unpriced model was last used, in
-- each tier that its largest call reaches. All inputs are small: no scan of the fact.
{%- set fewest_neighbours = 5 %}
{%- set model_key = ["environment", "data_mode", "provider", "model"] %}
with
    usage as (select * from {{ ref("int_model_usage_daily") }}),

    prices as (select * from {{ ref("int_price_book") }}),

    unpriced as (
        select
            {{ model_key | join(", ") }},
            max(event_date) as last_used_date,
            coalesce(max(unpriced_largest_input_tokens), 0) as largest_input_tokens
        from usage
        where unpriced_attempts > 0
        group by {{ model_key | join(", ") }}
    ),

    used_here as (select distinct provider, model from usage where priced_attempts > 0),

    endpoints as (
        select distinct
            {% for column in model_key %} unpriced.{{ column }}, {% endfor %}
            unpriced.last_used_date,
            usage.endpoint_tag
        from unpriced
        inner join
            usage on usage.unpriced_attempts > 0
            {%- for column in model_key %} and unpriced.{{ column }} = usage.{{ column }} {%- endfor %}
    ),

    -- 28 days: four whole weeks, so that weekdays and weekends both count
    same_endpoints as (
        select distinct
            {% for column in model_key %} endpoints.{{ column }}, {% endfor %}
            usage.provider as neighbour_provider,
            usage.model as neighbour_model
        from endpoints
        inner join
            usage
            on endpoints.endpoint_tag = usage.endpoint_tag
            and endpoints.environment = usage.environment
            and endpoints.data_mode = usage.data_mode
            and usage.priced_attempts > 0
            and usage.event_date between endpoints.last_used_date - 27 and endpoints.last_used_date
    ),

    standard_prices as (
        select
            unpriced.*,
            prices.provider as neighbour_provider,
            prices.model as neighbour_model,
            prices.input_tokens_from,
            {% for kind in token_kinds() %} prices.{{ kind.name }}_price_usd {{- "," if not loop.last }} {% endfor %}
        from unpriced
        inner join
            prices
            on prices.uncached_input_price_usd is not null
            and prices.text_output_price_usd is not null  -- an embedding says nothing about a model that answers
            -- its own price counts whenever it holds
            and (
                (prices.valid_from <= unpriced.last_used_date and prices.valid_to > unpriced.last_used_date)
                or (prices.provider = unpriced.provider and prices.model = unpriced.model)
            )
            and prices.input_tokens_from <= unpriced.largest_input_tokens
        qualify
            row_number() over (
                partition by
                    {% for column in model_key %} unpriced.{{ column }}, {% endfor %}
                    prices.provider,
                    prices.model,
                    prices.input_tokens_from
                order by
                    prices.tenant_id nulls first,
                    prices.variant nulls first,
                    prices.missing_variant nulls first,
                    prices.day_second_from,
                    -- of its own prices the last that had begun, or else the next
                    prices.valid_from > unpriced.last_used_date nulls last,
                    case when prices.valid_from > unpriced.last_used_date then prices.valid_from end nulls last,
                    prices.valid_from desc,
                    prices.price_row_key
            )
            = 1
    ),

    ranked as (
        select
            standard_prices.*,
            case
                when
                    standard_prices.neighbour_provider = standard_prices.provider
                    and standard_prices.neighbour_model = standard_prices.model
                then 0
                when standard_prices.neighbour_provider = standard_prices.provider and used_here.model is not null
                then 1
                when same_endpoints.neighbour_model is not null
                then 2
                else 3
            end as nearness
        from standard_prices
        left join
            used_here
            on standard_prices.neighbour_provider = used_here.provider
            and standard_prices.neighbour_model = used_here.model
        left join
            same_endpoints
            on standard_prices.neighbour_provider = same_endpoints.neighbour_provider
            and standard_prices.neighbour_model = same_endpoints.neighbour_model
            {%- for column in model_key %} and standard_prices.{{ column }} = same_endpoints.{{ column }} {%- endfor %}
    )

select *
from ranked
qualify
    nearness = 0
    or count(*) over (partition by {{ model_key | join(", ") }} order by nearness)
    - count(*) over (partition by {{ model_key | join(", ") }}, nearness)
    < case
        when min(nearness) over (partition by {{ model_key | join(", ") }}) = 0 then 0 else {{ fewest_neighbours }}
    end
