with
    usage as (select * from {{ ref("int_model_usage_daily") }} where unpriced_attempts > 0),

    rates as (select * from {{ ref("int_exposure_rates") }}),

    owners as (select * from {{ ref("endpoint_owners") }}),

    unknown as (
        select provider, model, nullif(max({{ text_list("suggestions") }}), '') as suggestions
        from {{ ref("stg_price_book") }}
        where resolution = 'unknown'
        group by provider, model
    ),

    by_endpoint as (
        select environment, data_mode, provider, model, endpoint_tag, sum(unpriced_attempts) as unpriced_attempts
        from usage
        group by environment, data_mode, provider, model, endpoint_tag
    ),

    first_endpoint as (
        select *
        from by_endpoint
        qualify
            row_number() over (
                partition by environment, data_mode, provider, model order by unpriced_attempts desc, endpoint_tag
            )
            = 1
    ),

    models as (
        select
            environment,
            data_mode,
            provider,
            model,
            min(event_date) as first_seen_date,
            max(event_date) as last_seen_date,
            cast(sum(unpriced_requests) as bigint) as requests,
            cast(sum(unpriced_attempts) as bigint) as attempts,
            cast(sum(unpriced_input_tokens) as bigint) as input_tokens,
            cast(sum(unpriced_output_tokens) as bigint) as output_tokens,
            cast(sum(unpriced_reported_cost_usd) as decimal(38, 12)) as reported_cost_usd
        from usage
        group by environment, data_mode, provider, model
    )

select
    models.provider,
    models.model,
    models.environment,
    models.data_mode,
    case when unknown.model is null then 'missing_unit_price' else 'unknown_model' end as reason,
    models.first_seen_date,
    models.last_seen_date,
    models.requests,
    models.attempts,
    models.input_tokens,
    models.output_tokens,
    {%- for name in ["low", "likely", "high"] %}
        cast(
            cast(coalesce(models.input_tokens, 0) as decimal(13, 0)) * rates.{{ name }}_input_price_usd
            + cast(coalesce(models.output_tokens, 0) as decimal(13, 0))
            * rates.{{ name }}_output_price_usd as decimal(38, 12)
        ) as exposure_{{ name }}_usd,
    {%- endfor %}
    rates.exposure_basis,
    models.reported_cost_usd,
    first_endpoint.endpoint_tag as main_endpoint_tag,
    owners.owner,
    unknown.suggestions
from models
left join rates on models.provider = rates.provider and models.model = rates.model
left join unknown on models.provider = unknown.provider and models.model = unknown.model
left join
    first_endpoint
    on models.environment = first_endpoint.environment
    and models.data_mode = first_endpoint.data_mode
    and models.provider = first_endpoint.provider
    and models.model = first_endpoint.model
left join owners on first_endpoint.endpoint_tag = owners.endpoint_tag
