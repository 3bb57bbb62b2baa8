-- Whose prices an unpriced model is measured by, nearest first: its own (other dates or units of it have a price); the
-- same provider's models that are used here; the models its endpoints use; every model in the book. Of each kin the
-- standard price in force when the unpriced model was last used. All inputs are small: nothing here scans the fact.
{%- set model_key = ["environment", "data_mode", "provider", "model"] %}
with
    usage as (select * from {{ ref("int_model_usage_daily") }}),

    prices as (select * from {{ ref("int_price_book") }}),

    unpriced as (
        select {{ model_key | join(", ") }}, max(event_date) as last_used_date
        from usage
        where unpriced_attempts > 0
        group by {{ model_key | join(", ") }}
    ),

    priced_days as (
        select provider, model, event_date, sum(priced_attempts) as attempts
        from usage
        where priced_attempts > 0
        group by provider, model, event_date
    ),

    -- 28 days: four whole weeks, so that a model used on weekdays only weighs as it does in a month
    used_here as (
        select
            unpriced.last_used_date,
            days.provider,
            days.model,
            cast(
                sum(
                    case
                        when days.event_date between unpriced.last_used_date - 27 and unpriced.last_used_date
                        then days.attempts
                        else 0
                    end
                ) as bigint
            ) as attempts_28_days
        from (select distinct last_used_date from unpriced) as unpriced
        cross join priced_days as days
        group by unpriced.last_used_date, days.provider, days.model
    ),

    endpoints as (
        select distinct {% for column in model_key %} unpriced.{{ column }}, {% endfor %}
            unpriced.last_used_date, usage.endpoint_tag
        from unpriced
        inner join
            usage on usage.unpriced_attempts > 0
            {%- for column in model_key %} and unpriced.{{ column }} = usage.{{ column }} {%- endfor %}
    ),

    beside_it as (
        select distinct
            {% for column in model_key %} endpoints.{{ column }}, {% endfor %}
            usage.provider as kin_provider,
            usage.model as kin_model
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
            prices.provider as kin_provider,
            prices.model as kin_model,
            {% for leaf in leaves() %} prices.{{ leaf.name }}_price_usd, {% endfor %}
        from unpriced
        inner join
            prices
            on prices.uncached_input_price_usd is not null
            and prices.text_output_price_usd is not null  -- an embedding is no kin of a model that answers
            and prices.valid_from <= unpriced.last_used_date
            and prices.valid_to > unpriced.last_used_date
        qualify
            row_number() over (
                partition by
                    {% for column in model_key %} unpriced.{{ column }}, {% endfor %} prices.provider, prices.model
                order by
                    prices.tenant_id nulls first,
                    prices.variant nulls first,
                    prices.missing_variant nulls first,
                    prices.input_tokens_from,
                    prices.day_second_from,
                    prices.price_row_key
            )
            = 1
    ),

    ranked as (
        select
            standard_prices.*,
            case
                when (kin_provider, kin_model) = (standard_prices.provider, standard_prices.model)
                then 0
                when kin_provider = standard_prices.provider and used_here.model is not null
                then 1
                when beside_it.kin_model is not null
                then 2
                else 3
            end as nearness,
            coalesce(used_here.attempts_28_days, 0) as attempts_28_days
        from standard_prices
        left join
            used_here
            on standard_prices.last_used_date = used_here.last_used_date
            and standard_prices.kin_provider = used_here.provider
            and standard_prices.kin_model = used_here.model
        left join beside_it using ({{ model_key | join(", ") }}, kin_provider, kin_model)
    )

select *
from ranked
qualify nearness = min(nearness) over (partition by {{ model_key | join(", ") }})
