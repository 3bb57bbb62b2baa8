-- What a good engineer would write for this one job: read everything, decide, price, group. It starts from nothing each
-- time, keeps no raw zone, no rejects, no history and no tests, and knows only fields that the native events have.
-- getvariable('...') values come from by_hand.py; `-- step:` lines name what is timed.

-- step: read
create temp table delivery as
with
    renamed as (
        select
            externalRequestId as request_id,
            providerRequestId as provider_request_id,
            attempt,
            try_cast(coalesce(occurredAt, createdAt) as timestamptz)::timestamp as occurred_at,
            coalesce(lower(environment), 'prod') as environment,
            coalesce(dataMode, 'real') as data_mode,
            endpointTag as endpoint_tag,
            promptVersion as prompt_version,
            featureTag as feature_tag,
            coalesce(tenantId, metadata ->> 'tenantId', identity.tenant_id) as tenant_id,
            userId as user_id,
            provider,
            model,
            status,
            errorCode as error_code,
            httpStatus as http_status,
            processing,
            serviceTier as service_tier,
            requestedServiceTier as requested_service_tier,
            region,
            billingAccountId as billing_account_id,
            subAccountId as sub_account_id,
            apiKeyId as api_key_id,
            traceId as trace_id,
            spanId as span_id,
            parentSpanId as parent_span_id,
            case
                when coalesce(inputTokens, outputTokens, totalTokens, webSearches, inputAudioTokens,
                    outputAudioTokens, inputImageTokens, outputImageTokens) is null
                then 'missing'
                else coalesce(usageSource, 'provider')
            end as usage_source,
            coalesce(cacheWriteTokens, cacheWrite1hTokens) as cache_write_tokens,
            coalesce(
                inputTokens
                + if(tokenConvention = 'exclusive',
                    coalesce(cacheReadTokens, 0) + coalesce(cacheWriteTokens, cacheWrite1hTokens, 0), 0),
                totalTokens - outputTokens
            ) as input_tokens,
            coalesce(outputTokens, totalTokens - input_tokens) as output_tokens,
            totalTokens as total_tokens,
            cacheReadTokens as cache_read_tokens,
            cacheWrite1hTokens as cache_write_1h_tokens,
            reasoningTokens as reasoning_tokens,
            inputAudioTokens as input_audio_tokens,
            cacheAudioReadTokens as cache_audio_read_tokens,
            outputAudioTokens as output_audio_tokens,
            inputImageTokens as input_image_tokens,
            cacheImageReadTokens as cache_image_read_tokens,
            outputImageTokens as output_image_tokens,
            inputVideoTokens as input_video_tokens,
            outputVideoTokens as output_video_tokens,
            webSearches as web_searches,
            latencyMs as latency_ms,
            costUsd as reported_cost_usd,
            metadata::varchar as metadata,
            filename as landing_file
        from line
        left join (
            select user_id, tenant_id from read_csv(getvariable('identity_map'))
        ) as identity on line.userId = identity.user_id and line.tenantId is null
    )

select
    *,
    input_tokens
    - coalesce(cache_read_tokens, 0)
    - coalesce(cache_write_tokens, 0)
    - (coalesce(input_audio_tokens, 0) - coalesce(cache_audio_read_tokens, 0))
    - (coalesce(input_image_tokens, 0) - coalesce(cache_image_read_tokens, 0))
    - coalesce(input_video_tokens, 0) as uncached_input_tokens,
    output_tokens
    - coalesce(reasoning_tokens, 0)
    - coalesce(output_audio_tokens, 0)
    - coalesce(output_image_tokens, 0)
    - coalesce(output_video_tokens, 0) as text_output_tokens
from renamed
where
    request_id is not null
    and occurred_at is not null
    and provider is not null
    and model is not null
    and status in ('success', 'error')
    and coalesce(least(input_tokens, output_tokens, total_tokens, cache_read_tokens, cache_write_tokens,
        cache_write_1h_tokens, reasoning_tokens, web_searches, uncached_input_tokens, text_output_tokens,
        cache_write_tokens - coalesce(cache_write_1h_tokens, 0)), 0) >= 0;

-- step: identify
-- Nearly every delivery is an attempt and a request of its own; the rules are for the ids that occur again.
create temp table candidate as
with
    again as (
        select environment, data_mode, request_id from delivery group by all having count(*) > 1
    ),

    provider_again as (
        select environment, data_mode, provider_request_id
        from delivery
        where provider_request_id is not null
        group by all
        having count(*) > 1
    )

select
    delivery.rowid as delivery_id,
    delivery.* exclude (total_tokens, uncached_input_tokens, text_output_tokens),
    case
        when attempt is not null
        then 'a:' || request_id || '#' || attempt
        when provider_request_id is null and status = 'error'
        then 'e:' || request_id || '#' || occurred_at
    end as pair_label,
    regexp_extract(landing_file, 'dt=([0-9-]+)', 1)::date as arrival_date,
    landed.content_hash
from delivery
join landed on delivery.landing_file = landed.filename
where
    (environment, data_mode, request_id) in (from again)
    or (environment, data_mode, provider_request_id) in (from provider_again);

create temp table decision as
with
    -- deliveries are one attempt when they share the provider's id or the pair
    first_round as (
        select
            *,
            if(provider_request_id is null, pair_label, min(coalesce(pair_label, 'p:' || provider_request_id)) over (
                partition by environment, data_mode, provider_request_id)) as label_1
        from candidate
    ),

    second_round as (
        select
            *,
            if(pair_label is null, label_1, min(label_1) over (
                partition by environment, data_mode, pair_label)) as label_2
        from first_round
    ),

    third_round as (
        select
            *,
            if(provider_request_id is null, label_2, min(label_2) over (
                partition by environment, data_mode, provider_request_id)) as label_3
        from second_round
    ),

    labelled as (
        select
            *,
            coalesce(
                label_3,
                min(label_3) filter (status = 'success') over (partition by environment, data_mode, request_id),
                's:' || request_id
            ) as label
        from third_round
    ),

    ranked as (
        select
            *,
            row_number() over (
                partition by environment, data_mode, label
                order by array_position(['provider', 'estimate', 'missing'], usage_source),
                    arrival_date desc, content_hash desc
            ) as place,
            hash(provider, model, status, error_code, http_status, endpoint_tag, prompt_version, feature_tag, tenant_id,
                user_id, usage_source, processing, service_tier, requested_service_tier, region, billing_account_id, sub_account_id,
                api_key_id, trace_id, span_id, parent_span_id, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, reasoning_tokens,
                input_audio_tokens, cache_audio_read_tokens, input_image_tokens, cache_image_read_tokens,
                input_video_tokens, output_audio_tokens, output_image_tokens, output_video_tokens, web_searches,
                latency_ms, reported_cost_usd, metadata) as payload,
            count(*) over same_attempt as deliveries,
            min(occurred_at) over same_attempt as attempt_at
        from labelled
        window same_attempt as (partition by environment, data_mode, label)
    ),

    compared as (
        select *, first(payload order by place) over (partition by environment, data_mode, label) as kept_payload
        from ranked
    ),

    counted as (
        select *, count(*) filter (payload <> kept_payload) over (
            partition by environment, data_mode, label) as conflicts
        from compared
    )

select
    delivery_id,
    place = 1 as is_attempt,
    label || '@' || attempt_at::date as attempt_key,
    attempt_at,
    deliveries - 1 as duplicate_deliveries,
    conflicts as conflicting_deliveries,
    if(place = 1, min(attempt_at::date) over request, null) as request_date,
    row_number() over (request order by attempt_at::date, attempt nulls last, attempt_at, label) as try_number,
    count(*) over request as tries
from counted
window request as (partition by environment, data_mode, request_id, place = 1);

-- step: price
create macro cost(tokens, price_usd) as
    if(tokens = 0, 0::decimal(38, 12), (tokens::decimal(13, 0) * price_usd)::decimal(38, 12));
create macro cost_or_unused(tokens, price_usd) as
    if(tokens is null and price_usd is null, 0::decimal(38, 12), cost(tokens, price_usd));

create table fct_attempts as
with
    attempt as (
        select
            delivery.* exclude (occurred_at),
            coalesce(attempt_at, delivery.occurred_at) as occurred_at,
            coalesce(attempt_key, case
                when attempt is not null then 'a:' || request_id || '#' || attempt
                when provider_request_id is not null then 'p:' || provider_request_id
                when status = 'error' then 'e:' || request_id || '#' || delivery.occurred_at
                else 's:' || request_id
            end || '@' || delivery.occurred_at::date) as attempt_key,
            coalesce(request_date, delivery.occurred_at::date) as request_date,
            coalesce(try_number, 1) as try_number,
            coalesce(try_number = 1, true) as is_first_try,
            coalesce(try_number = tries, true) as is_last_try,
            coalesce(duplicate_deliveries, 0) as duplicate_deliveries,
            coalesce(conflicting_deliveries, 0) as conflicting_deliveries,
            if(usage_source <> 'missing', 0, null) as nothing
        from delivery
        left join decision on delivery.rowid = decision.delivery_id
        where coalesce(is_attempt, true)
    ),

    leaf as (
        select
            * exclude (cache_write_1h_tokens, reasoning_tokens, input_audio_tokens, cache_audio_read_tokens,
                output_audio_tokens, input_image_tokens, cache_image_read_tokens, output_image_tokens,
                input_video_tokens, output_video_tokens, web_searches, nothing),
            coalesce(cache_read_tokens - coalesce(cache_audio_read_tokens, 0) - coalesce(cache_image_read_tokens, 0),
                nothing) as cached_input_tokens,
            coalesce(cache_write_tokens - coalesce(cache_write_1h_tokens, 0), nothing) as cache_write_5m_tokens,
            nothing as cache_write_30m_tokens,  -- no event of the simulated worlds has these two
            coalesce(cache_write_1h_tokens, nothing) as cache_write_1h_tokens,
            nothing as cache_write_12h_tokens,
            coalesce(input_audio_tokens - coalesce(cache_audio_read_tokens, 0), nothing) as uncached_audio_tokens,
            coalesce(cache_audio_read_tokens, nothing) as cached_audio_tokens,
            coalesce(input_image_tokens - coalesce(cache_image_read_tokens, 0), nothing) as uncached_image_tokens,
            coalesce(cache_image_read_tokens, nothing) as cached_image_tokens,
            coalesce(input_video_tokens, nothing) as input_video_tokens,
            coalesce(reasoning_tokens, nothing) as reasoning_tokens,
            coalesce(output_audio_tokens, nothing) as output_audio_tokens,
            coalesce(output_image_tokens, nothing) as output_image_tokens,
            coalesce(output_video_tokens, nothing) as output_video_tokens,
            coalesce(web_searches, nothing) as web_searches,
            nothing + 1 as billed_requests,
            hour(occurred_at) * 3600 + minute(occurred_at) * 60 + second(occurred_at) as second_of_day
        from attempt
    ),

    priced as (
        select
            leaf.*,
            price.price_row_key,
            price.price_model_id,
            price.price_book_version,
            price.resolution as price_resolution,
            price.variant as price_variant,
            price.missing_variant,
            price.approximate_reason as price_approximate_reason,
            price.input_tokens_from as price_tier_from_tokens,
            nullif(
                concat_ws(
                    ', ',
                    case when list_contains(price.fallback_leaves, 'cached_input') and cached_input_tokens > 0 then 'cached_input' end,
                    case when list_contains(price.fallback_leaves, 'cache_write_5m') and cache_write_5m_tokens > 0 then 'cache_write_5m' end,
                    case when list_contains(price.fallback_leaves, 'cache_write_1h') and cache_write_1h_tokens > 0 then 'cache_write_1h' end,
                    case when list_contains(price.fallback_leaves, 'uncached_audio') and uncached_audio_tokens > 0 then 'uncached_audio' end,
                    case when list_contains(price.fallback_leaves, 'cached_audio') and cached_audio_tokens > 0 then 'cached_audio' end,
                    case when list_contains(price.fallback_leaves, 'uncached_image') and uncached_image_tokens > 0 then 'uncached_image' end,
                    case when list_contains(price.fallback_leaves, 'cached_image') and cached_image_tokens > 0 then 'cached_image' end,
                    case when list_contains(price.fallback_leaves, 'input_video') and input_video_tokens > 0 then 'input_video' end,
                    case when list_contains(price.fallback_leaves, 'reasoning') and reasoning_tokens > 0 then 'reasoning' end,
                    case when list_contains(price.fallback_leaves, 'output_audio') and output_audio_tokens > 0 then 'output_audio' end,
                    case when list_contains(price.fallback_leaves, 'output_image') and output_image_tokens > 0 then 'output_image' end,
                    case when list_contains(price.fallback_leaves, 'output_video') and output_video_tokens > 0 then 'output_video' end
                ),
                ''
            ) as fallback_token_kinds,
            uncached_input_price_usd,
            text_output_price_usd,
            cost_or_unused(uncached_input_tokens, uncached_input_price_usd) as uncached_input_cost_usd,
            cost(cached_input_tokens, cached_input_price_usd) as cached_input_cost_usd,
            cost(cache_write_5m_tokens, cache_write_5m_price_usd) as cache_write_5m_cost_usd,
            cost(cache_write_30m_tokens, cache_write_5m_price_usd) as cache_write_30m_cost_usd,
            cost(cache_write_1h_tokens, cache_write_1h_price_usd) as cache_write_1h_cost_usd,
            cost(cache_write_12h_tokens, cache_write_5m_price_usd) as cache_write_12h_cost_usd,
            cost(uncached_audio_tokens, uncached_audio_price_usd) as uncached_audio_cost_usd,
            cost(cached_audio_tokens, cached_audio_price_usd) as cached_audio_cost_usd,
            cost(uncached_image_tokens, uncached_image_price_usd) as uncached_image_cost_usd,
            cost(cached_image_tokens, cached_image_price_usd) as cached_image_cost_usd,
            cost(input_video_tokens, input_video_price_usd) as input_video_cost_usd,
            cost_or_unused(text_output_tokens, text_output_price_usd) as text_output_cost_usd,
            cost(reasoning_tokens, reasoning_price_usd) as reasoning_cost_usd,
            cost(output_audio_tokens, output_audio_price_usd) as output_audio_cost_usd,
            cost(output_image_tokens, output_image_price_usd) as output_image_cost_usd,
            cost(output_video_tokens, output_video_price_usd) as output_video_cost_usd,
            cost(web_searches, web_searches_price_usd) as web_searches_cost_usd,
            cost(billed_requests, billed_requests_price_usd) as billed_requests_cost_usd,
            cost(cached_input_tokens, uncached_input_price_usd) - cached_input_cost_usd
            + cost(cached_audio_tokens, uncached_audio_price_usd) - cached_audio_cost_usd
            + cost(cached_image_tokens, uncached_image_price_usd) - cached_image_cost_usd as saved_usd,
            cache_write_5m_cost_usd - cost(cache_write_5m_tokens, uncached_input_price_usd)
            + cache_write_1h_cost_usd - cost(cache_write_1h_tokens, uncached_input_price_usd) as premium_usd
        from leaf
        left join read_parquet(getvariable('price_book')) as price
            on leaf.provider = price.provider
            and leaf.model = price.model
            and leaf.processing is not distinct from price.processing
            and leaf.service_tier is not distinct from price.service_tier
            and leaf.region is not distinct from price.region
            and leaf.occurred_at >= coalesce(price.valid_from, '-infinity'::timestamp)
            and leaf.occurred_at < coalesce(price.valid_to, 'infinity'::timestamp)
            and leaf.second_of_day >= price.day_second_from
            and leaf.second_of_day < price.day_second_to
            and coalesce(leaf.input_tokens, 0) >= price.input_tokens_from
            and coalesce(leaf.input_tokens, 0) < coalesce(price.input_tokens_to, 9223372036854775807)
    )

select
    request_id,
    attempt_key,
    attempt,
    provider_request_id,
    'events' as source,
    occurred_at,
    occurred_at::date as event_date,
    request_date,
    environment,
    data_mode,
    coalesce(endpoint_tag, '(unattributed)') as endpoint_tag,
    coalesce(prompt_version, '(unattributed)') as prompt_version,
    coalesce(feature_tag, '(unattributed)') as feature_tag,
    coalesce(tenant_id, '(unattributed)') as tenant_id,
    coalesce(user_id, '(unattributed)') as user_id,
    provider,
    model,
    status,
    error_code,
    http_status,
    processing,
    service_tier,
    requested_service_tier,
    region,
    null::varchar as price_context,  -- nobody sends one in the simulated world
    coalesce(billing_account_id, '(unattributed)') as billing_account_id,
    sub_account_id,
    api_key_id,
    trace_id,
    span_id,
    parent_span_id,
    try_number,
    is_first_try,
    is_last_try,
    occurred_at > getvariable('as_of') as is_future,
    input_tokens,
    output_tokens,
    coalesce(total_tokens, input_tokens + output_tokens) as total_tokens,
    cache_read_tokens,
    cache_write_tokens,
    uncached_input_tokens,
    cached_input_tokens,
    cache_write_5m_tokens,
    cache_write_30m_tokens,
    cache_write_1h_tokens,
    cache_write_12h_tokens,
    uncached_audio_tokens,
    cached_audio_tokens,
    uncached_image_tokens,
    cached_image_tokens,
    input_video_tokens,
    text_output_tokens,
    reasoning_tokens,
    output_audio_tokens,
    output_image_tokens,
    output_video_tokens,
    web_searches,
    billed_requests,
    latency_ms,
    uncached_input_cost_usd,
    cached_input_cost_usd,
    cache_write_5m_cost_usd,
    cache_write_30m_cost_usd,
    cache_write_1h_cost_usd,
    cache_write_12h_cost_usd,
    uncached_audio_cost_usd,
    cached_audio_cost_usd,
    uncached_image_cost_usd,
    cached_image_cost_usd,
    input_video_cost_usd,
    text_output_cost_usd,
    reasoning_cost_usd,
    output_audio_cost_usd,
    output_image_cost_usd,
    output_video_cost_usd,
    web_searches_cost_usd,
    billed_requests_cost_usd,
    0::decimal(38, 12) as other_cost_usd,
    uncached_input_cost_usd + cached_input_cost_usd + cache_write_5m_cost_usd + cache_write_1h_cost_usd
    + uncached_audio_cost_usd + cached_audio_cost_usd + uncached_image_cost_usd + cached_image_cost_usd
    + input_video_cost_usd + text_output_cost_usd + reasoning_cost_usd + output_audio_cost_usd
    + output_image_cost_usd + output_video_cost_usd + web_searches_cost_usd + billed_requests_cost_usd as cost_usd,
    if(cost_usd is not null, saved_usd, null) as cache_savings_usd,
    if(cost_usd is not null, premium_usd, null) as cache_write_premium_usd,
    reported_cost_usd,
    case
        when uncached_input_cost_usd + cached_input_cost_usd + cache_write_5m_cost_usd + cache_write_1h_cost_usd
            + uncached_audio_cost_usd + cached_audio_cost_usd + uncached_image_cost_usd + cached_image_cost_usd
            + input_video_cost_usd + text_output_cost_usd + reasoning_cost_usd + output_audio_cost_usd
            + output_image_cost_usd + output_video_cost_usd + web_searches_cost_usd + billed_requests_cost_usd is not null
        then 'priced'
        when usage_source = 'missing'
            or (uncached_input_tokens is null and uncached_input_price_usd is not null)
            or (text_output_tokens is null and text_output_price_usd is not null)
        then 'no_usage'
        else 'unpriced'
    end as pricing_status,
    usage_source,
    price_row_key,
    price_model_id,
    price_book_version,
    price_resolution,
    price_variant,
    missing_variant,
    case
        when pricing_status = 'priced'
        then
            nullif(
                concat_ws(
                    ', ',
                    price_approximate_reason,
                    case when missing_variant is not null then 'missing_variant' end,
                    case when usage_source = 'provider_partial' then 'partial_usage' end
                ),
                ''
            )
    end as approximate_reason,
    (approximate_reason is not null) as is_approximate,
    price_tier_from_tokens,
    fallback_token_kinds,
    duplicate_deliveries,
    conflicting_deliveries,
    landing_file,
    metadata
from priced;
drop table delivery;

-- step: requests
create table fct_requests as
select
    request_id,
    source,
    environment,
    data_mode,
    max(endpoint_tag) filter (is_last_try) as endpoint_tag,
    max(prompt_version) filter (is_last_try) as prompt_version,
    max(feature_tag) filter (is_last_try) as feature_tag,
    max(tenant_id) filter (is_last_try) as tenant_id,
    max(user_id) filter (is_last_try) as user_id,
    max(provider) filter (is_last_try) as provider,
    max(model) filter (is_last_try) as model,
    max(billing_account_id) filter (is_last_try) as billing_account_id,
    max(sub_account_id) filter (is_last_try) as sub_account_id,
    max(api_key_id) filter (is_last_try) as api_key_id,
    max(trace_id) filter (is_last_try) as trace_id,
    max(status) filter (is_last_try) as final_status,
    count(*) as attempts,
    sum(input_tokens)::bigint as input_tokens,
    sum(output_tokens)::bigint as output_tokens,
    sum(cost_usd)::decimal(38, 12) as cost_usd,
    if(bool_and(is_last_try), 0, sum(cost_usd) filter (not is_last_try))::decimal(38, 12) as retry_cost_usd,
    sum(reported_cost_usd)::decimal(38, 12) as reported_cost_usd,
    count(*) filter (pricing_status = 'unpriced') as unpriced_attempts,
    count(*) filter (pricing_status = 'no_usage') as no_usage_attempts,
    sum(latency_ms) as latency_ms,
    request_date as event_date,
    min(occurred_at) as first_occurred_at,
    max(occurred_at) as last_occurred_at
from fct_attempts
group by request_id, source, environment, data_mode, request_date;
