-- What an unpriced model might cost per token: the 10 %, 50 % and 90 % quantiles of prices that are known, from
-- the nearest kin there is. A quantile of prices is one of the prices: no division of money.
with
    usage as (select * from {{ ref("int_model_usage_daily") }}),

    known as (
        select
            provider,
            model,
            max(uncached_input_price_usd) as input_price_usd,
            max(text_output_price_usd) as output_price_usd
        from {{ ref("int_price_book") }}
        where
            resolution <> 'unknown'
            and processing is null
            and service_tier is null
            and uncached_input_price_usd is not null
            and text_output_price_usd is not null  -- an embedding is no kin of a model that answers
        group by provider, model
    ),

    unpriced as (select distinct provider, model from usage where unpriced_attempts > 0),

    kin as (
        select
            unpriced.provider,
            unpriced.model,
            1 as nearness,
            'prices of the same provider' as basis,
            input_price_usd,
            output_price_usd
        from unpriced
        inner join known on unpriced.provider = known.provider
        union all
        select distinct
            mine.provider,
            mine.model,
            2 as nearness,
            'prices of the models its endpoints use',
            known.input_price_usd,
            known.output_price_usd
        from usage as mine
        inner join
            usage as other
            on mine.endpoint_tag = other.endpoint_tag
            and mine.environment = other.environment
            and mine.data_mode = other.data_mode
            and other.priced_attempts > 0
            and other.event_date between mine.event_date - 27 and mine.event_date
        inner join known on other.provider = known.provider and other.model = known.model
        where mine.unpriced_attempts > 0
        union all
        select
            unpriced.provider,
            unpriced.model,
            3 as nearness,
            'prices of every model in the book',
            input_price_usd,
            output_price_usd
        from unpriced
        cross join known
    ),

    nearest as (select *, min(nearness) over (partition by provider, model) as nearest from kin)

select
    provider,
    model,
    max(basis) as exposure_basis,
    {%- for name, share in [("low", 0.1), ("likely", 0.5), ("high", 0.9)] %}
        quantile_disc(input_price_usd, {{ share }}) as {{ name }}_input_price_usd,
        coalesce(
            quantile_disc(output_price_usd, {{ share }}), 0
        ) as {{ name }}_output_price_usd{{ "," if not loop.last }}
    {%- endfor %}
from nearest
where nearness = nearest
group by provider, model
