{{ config(materialized="view") }}
{%- set model_key = ["environment", "data_mode", "provider", "model"] %}
{%- set sla_days = setting("TOKENTRAIL_UNPRICED_SLA_DAYS", "3") | int %}
with
    usage as (select * from {{ ref("int_model_usage_daily") }}),

    unpriced as (
        select
            {{ model_key | join(", ") }},
            min(event_date) as first_seen_date,
            max(event_date) as last_seen_date,
            cast(sum(unpriced_requests) as bigint) as requests,
            cast(sum(unpriced_attempts) as bigint) as attempts,
            {{ sum_of_counts("unpriced_input_tokens") }} as input_tokens,
            {{ sum_of_counts("unpriced_output_tokens") }} as output_tokens,
            cast(sum(unpriced_reported_cost_usd) as decimal(38, 12)) as reported_cost_usd
        from usage
        where unpriced_attempts > 0
        group by {{ model_key | join(", ") }}
    ),

    healed as (select * from {{ ref("int_healed_models") }}),

    -- the row reports what is still without a price; healed attempts have their own
    -- columns
    models as (
        select
            {{ model_key | join(", ") }},
            case when unpriced.attempts is null then 'healed' else 'open' end as status,
            coalesce(unpriced.first_seen_date, healed.first_seen_date) as first_seen_date,
            coalesce(unpriced.last_seen_date, healed.last_seen_date) as last_seen_date,
            coalesce(unpriced.requests, 0) as requests,
            coalesce(unpriced.attempts, 0) as attempts,
            unpriced.input_tokens,
            unpriced.output_tokens,
            unpriced.reported_cost_usd,
            coalesce(healed.healed_attempts, 0) as healed_attempts,
            healed.healed_at,
            healed.healed_by,
            healed.healed_cost_usd
        from unpriced
        full join healed using ({{ model_key | join(", ") }})
    ),

    main_endpoint as (
        select {{ model_key | join(", ") }}, endpoint_tag
        from usage
        group by {{ model_key | join(", ") }}, endpoint_tag
        qualify
            row_number() over (
                partition by {{ model_key | join(", ") }}
                order by sum(unpriced_attempts) desc, sum(attempts) desc, endpoint_tag nulls last
            )
            = 1
    ),

    aged as (
        select
            *,
            cast(
                greatest(
                    {{
                        dbt.datediff(
                            "first_seen_date",
                            "case when status = 'healed' then cast(healed_at as date) else cast("
                            ~ as_of()
                            ~ " as date) end",
                            "day",
                        )
                    }},
                    0
                ) as integer
            ) as age_days
        from models
    )

select
    -- keys
    {% for column in ["provider", "model", "environment", "data_mode"] %} aged.{{ column }}, {% endfor %}
    -- dimensions
    aged.status,
    case when aged.status = 'open' then snippets.reason end as reason,
    main_endpoint.endpoint_tag as main_endpoint_tag,
    owners.owner,
    -- times
    aged.first_seen_date,
    aged.last_seen_date,
    aged.age_days,
    {{ sla_days }} as sla_days,
    aged.age_days > {{ sla_days }} as is_over_sla,
    -- quantities
    aged.requests,
    aged.attempts,
    aged.input_tokens,
    aged.output_tokens,
    -- money
    exposure.exposure_usd_low,
    exposure.exposure_usd,
    exposure.exposure_usd_high,
    exposure.exposure_basis,
    aged.reported_cost_usd,
    -- what to do
    case when aged.status = 'open' then snippets.suggestion_1 end as suggestion_1,
    case when aged.status = 'open' then snippets.suggestion_2 end as suggestion_2,
    case when aged.status = 'open' then snippets.suggestion_3 end as suggestion_3,
    case when aged.status = 'open' then snippets.override_snippet end as override_snippet,
    -- what was done
    aged.healed_attempts,
    aged.healed_at,
    aged.healed_by,
    aged.healed_cost_usd
from aged
left join {{ ref("int_exposure") }} as exposure using ({{ model_key | join(", ") }})
left join {{ ref("int_override_snippets") }} as snippets using (provider, model)
left join main_endpoint using ({{ model_key | join(", ") }})
left join {{ ref("stg_endpoint_owners") }} as owners on main_endpoint.endpoint_tag = owners.endpoint_tag
