-- depends_on: {{ ref("delivery_days") }}
-- The few deliveries whose ids occur more than once around the dates to rebuild, each
-- labelled with the attempt it belongs to.
{%- set dates = dirty_dates("int_repeated_deliveries") %}
{%- set window = identity_window_days() %}
{%- set same_provider_request = around("provider_request_id", window, window) %}
{%- set same_pair = around("pair_label", window, window) %}
{#- What two deliveries of one attempt must agree in; when they differ the pair is listed. The instant may differ. -#}
{%- set payload = [
    "provider",
    "model",
    "status",
    "error_code",
    "http_status",
    "endpoint_tag",
    "prompt_version",
    "feature_tag",
    "tenant_id",
    "user_id",
    "usage_source",
    "processing",
    "service_tier",
    "requested_service_tier",
    "region",
    "price_context",
    "billing_account_id",
    "sub_account_id",
    "api_key_id",
    "trace_id",
    "span_id",
    "parent_span_id",
    "other_usage",
    "latency_ms",
    "reported_cost_usd",
    "metadata",
] %}
{%- for count in token_counts() if count.name != "total_tokens" %} {%- do payload.append(count.name) %} {%- endfor %}
{%- set near = with_neighbours(dates, identity_reach().back, identity_reach().ahead) %}
with
    repeated_requests as (
        select {{ identity_scope_columns() }}, request_id
        from {{ ref("int_deliveries") }}
        where {{ in_dates("event_date", near) }}
        group by {{ identity_scope_columns() }}, request_id
        having count(*) > 1
    ),

    repeated_provider_requests as (
        select {{ identity_scope_columns() }}, provider_request_id
        from {{ ref("int_deliveries") }}
        where provider_request_id is not null and {{ in_dates("event_date", near) }}
        group by {{ identity_scope_columns() }}, provider_request_id
        having count(*) > 1
    ),

    candidates as (
        select
            *,
            {{ dbt.datediff("cast('2000-01-01' as date)", "event_date", "day") }} as day_number,
            md5(
                concat_ws(
                    '|',
                    {%- for column in payload %}
                        coalesce(cast({{ column }} as {{ dbt.type_string() }}), ''){{ "," if not loop.last }}
                    {%- endfor %}
                )
            ) as payload_hash,
            {{ known_parts() }} as known_parts,
            {{ pair_label() }} as pair_label,
            {{ own_attempt_label() }} as own_label
        from {{ ref("int_deliveries") }}
        where
            {{ in_dates("event_date", near) }}
            and (
                ({{ identity_scope_columns() }}, request_id) in (select * from repeated_requests)
                or ({{ identity_scope_columns() }}, provider_request_id) in (select * from repeated_provider_requests)
            )
    ),

    -- deliveries are one attempt when they share either id: the label travels along the
    -- provider's id, the pair, the provider's id
    by_provider_request as (
        select
            *,
            case
                when provider_request_id is null
                then pair_label
                else min(coalesce(pair_label, {{ provider_label() }})) over {{ same_provider_request }}
            end as label_1
        from candidates
    ),

    by_pair as (
        select *, case when pair_label is null then label_1 else min(label_1) over {{ same_pair }} end as label_2
        from by_provider_request
    ),

    by_either as (
        select
            *,
            case
                when provider_request_id is null then label_2 else min(label_2) over {{ same_provider_request }}
            end as label_3
        from by_pair
    )

-- no evidence, no second charge: a success without ids is the request's evidenced
-- success, or its one success
select
    * exclude (label_1, label_2, label_3),
    coalesce(
        label_3,
        min(case when status = 'success' then label_3 end) over {{ around("request_id", window, window) }},
        {{ success_label() }}
    ) as attempt_label
from by_either
