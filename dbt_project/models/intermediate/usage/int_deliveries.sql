{{ config(materialized="view") }}
-- Every source in one shape: environments as they are kept, one identity scope,
-- inclusive token counts. Sources that see the same calls share a scope by
-- source_precedence.csv. Lines that were set aside are not deliveries, and neither is a
-- span that restates a call below it; while there are none nothing is looked up.
-- depends_on: {{ ref("int_set_aside") }}
-- depends_on: {{ ref("int_span_dimensions") }}
with
    deliveries as (
        select
            events.*
            {%- if has_mapped_sources() %}
                replace (
                    {%- for name in dimensions_of_emitters() %}
                        coalesce(events.{{ name }}, above.{{ name }}) as {{ name }}{{ "," if not loop.last }}
                    {%- endfor %}
                )
            {%- endif %}
        from {{ ref("stg_events") }} as events
        {% if has_mapped_sources() %}
            left join
                {{ ref("int_span_dimensions") }} as above
                on events.event_date = above.event_date
                and events.source = above.source
                and events.content_hash = above.content_hash
                and events.line_number = above.line_number
                and events.item = above.item
        {% endif %}
        where
            {{ "not coalesce(above.is_restating, false)" if has_mapped_sources() else "true" }}
            {% if ledger_has("set_aside/log.jsonl") %}
                and not exists (
                    select 1
                    from {{ ref("int_set_aside") }} as set_aside
                    where
                        events.source = set_aside.source
                        and events.content_hash = set_aside.content_hash
                        and events.line_number = set_aside.line_number
                        and events.item = set_aside.item
                )
            {% endif %}
    ),

    environments as (select * from {{ ref("stg_environment_map") }}),

    precedence as (select * from {{ ref("stg_source_precedence") }}),

    identities as (select * from {{ ref("stg_identity_map") }}),

    inclusive as (
        select
            deliveries.* exclude (
                environment, tenant_id, input_tokens, usage_source, token_convention, reported_cost_usd, latency_ms
            ),
            coalesce(environments.environment, deliveries.environment) as environment,
            coalesce(precedence.identity_scope, deliveries.source) as identity_scope,
            coalesce(precedence.precedence, 0) as source_precedence,
            coalesce(deliveries.tenant_id, identities.tenant_id) as tenant_id,
            coalesce(
                input_tokens + case
                    when token_convention = 'exclusive'
                    then coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
                    else 0
                end,
                total_tokens - output_tokens
            ) as input_tokens,
            -- a trillion dollars and thirty years are not plausible for a call; any sum
            -- of smaller ones has room
            case when abs(reported_cost_usd) <= 1000000000000 then reported_cost_usd end as reported_cost_usd,
            case when latency_ms <= 1000000000000 then latency_ms end as latency_ms,
            case
                when
                    coalesce({%- for count in token_counts() %}{{ count.name }}{{ "," if not loop.last }} {%- endfor %})
                    is null
                    and other_usage is null
                then 'missing'
                else coalesce(usage_source, 'provider')
            end as usage_source
        from deliveries
        left join environments on lower(deliveries.environment) = environments.sent_as
        left join precedence on deliveries.source = precedence.source
        left join identities on deliveries.tenant_id is null and deliveries.user_id = identities.user_id
    ),

    -- the part of the total beyond input and output: where it is exactly the reasoning,
    -- the sender counts that next to the output (xAI); anything else is tokens of an
    -- unknown kind
    beyond as (select *, total_tokens - input_tokens - output_tokens as tokens_beyond_parts from inclusive)

select
    * exclude (output_tokens, usage_source, tokens_beyond_parts),
    case
        when tokens_beyond_parts = reasoning_tokens
        then output_tokens + reasoning_tokens
        else coalesce(output_tokens, total_tokens - input_tokens)
    end as output_tokens,
    case
        when
            usage_source = 'provider'
            and tokens_beyond_parts > 0
            and tokens_beyond_parts is distinct from reasoning_tokens
        then 'provider_partial'
        else usage_source
    end as usage_source
from beyond
