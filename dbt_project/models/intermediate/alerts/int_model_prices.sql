{{ kept_by_date("costed_usage_days") }}
-- What every model cost by price variant and token kind. The rest of a cost has no unit
-- and so no price.
with
    usage as (
        select
            event_date,
            environment,
            data_mode,
            provider,
            model,
            price_variant,
            {% for kind in priced_kinds() %}
                sum({{ kind.name }}_units) as {{ kind.name }}_units,
                sum({{ kind.name }}_usd) as {{ kind.name }}_usd {{- "," if not loop.last }}
            {% endfor %}
        from {{ ref("int_costed_usage") }}
        where {{ in_dates("event_date", dirty_dates()) }}
        group by event_date, environment, data_mode, provider, model, price_variant
    )

{% for kind in priced_kinds() | rejectattr("name", "equalto", "other") %}
    select
        event_date,
        environment,
        data_mode,
        provider,
        model,
        price_variant,
        '{{ kind.name }}' as token_kind,
        cast({{ kind.name }}_units as decimal(38, 0)) as units,
        cast({{ kind.name }}_usd as decimal(38, 12)) as cost_usd
    from usage
    where {{ kind.name }}_units > 0 and {{ kind.name }}_usd > 0 {{ "union all" if not loop.last }}
{% endfor %}
