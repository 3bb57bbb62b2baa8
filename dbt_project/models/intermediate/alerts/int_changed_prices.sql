{{ kept_by_date("alert_signal_days") }}
-- What a model costs because its prices changed: its day at the prices of token kinds
-- in the two weeks before, each variant against itself. Prices hold still where traffic
-- and the size of requests do not, so a rise that drowns in a day's cost shows here.
{%- set dates = dirty_dates() %}
{%- set level_days, usual_days = alert_parameter("level_days"), alert_parameter("usual_days") %}
{%- set price_key = "environment, data_mode, provider, model, price_variant, token_kind" %}
{%- set model_key = "environment, data_mode, model" %}
with
    prices as (
        select
            *,
            cast(units as double) as sold,
            cast(cost_usd as double) as usd,
            cast(cost_usd as double) / cast(units as double) as price
        from {{ ref("int_model_prices") }}
        where {{ in_dates("event_date", with_neighbours(dates, usual_days + level_days, 0)) }}
    ),

    usual as (
        select
            *,
            median(price) over {{ last_days(price_key, level_days) }} as usual_price,
            count(*) over {{ last_days(price_key, level_days) }} as known_days
        from prices
    ),

    models as (
        select
            event_date,
            {{ model_key }},
            sum(usd) as observed,
            sum(
                case when known_days >= {{ alert_parameter("fewest_price_days") }} then sold * usual_price else usd end
            ) as expected
        from usual
        group by event_date, {{ model_key }}
    ),

    changes as (select *, ln(observed / expected) as change from models),

    spreads as (
        select
            *,
            median(abs(change)) over {{ last_days(model_key, usual_days) }}
            * {{ alert_parameter("sigmas_per_mad") }} as own_sigma
        from changes
    )

select
    event_date,
    environment,
    data_mode,
    'model' as scope_dimension,
    model as scope_value,
    spend.usual_spend_usd,
    observed,
    expected,
    round(change / greatest(coalesce(own_sigma, 0), {{ alert_parameter("smallest_price_error") }}), 6) as z
from spreads
inner join {{ ref("int_usual_spend") }} as spend using (environment, data_mode, event_date)
where {{ in_dates("event_date", dates) }} and spend.usual_spend_usd > 0
