-- One row per pair of sources, or of instrumentations within one, that look as if they
-- saw the same calls: real successes of the recent days, of one minute, model and token
-- counts, that stayed two attempts. What shares an id of the provider is one attempt in
-- a shared scope.
with
    recent as (
        select
            source,
            emitter,
            event_date,
            date_trunc('minute', occurred_at) as minute,
            coalesce(price_model_id, model) as model,
            input_tokens,
            output_tokens,
            -- two services may call alike: instrumentations of a process are of one
            case when emitter is not null then try(metadata ->> '$.service_name') end as service,
            provider_request_id,
            cost_usd
        from marts.fct_attempts
        where
            event_date <= cast($as_of as date)
            and event_date > cast($as_of as date) - cast($window_days as integer)
            and data_mode = 'real'
            and status = 'success'
            and input_tokens is not null
    ),

    seen as (
        select
            source,
            emitter,
            service,
            event_date,
            minute,
            model,
            input_tokens,
            output_tokens,
            count(*) as attempts,
            list(provider_request_id) as ids,
            min(cost_usd) as cost_usd
        from recent
        where (select count(distinct source || coalesce('/' || emitter, '')) from recent) > 1
        group by source, emitter, service, event_date, minute, model, input_tokens, output_tokens
    ),

    emitters as (
        select source, emitter, service, sum(attempts) as attempts from seen where emitter is not null group by all
    ),

    twice as (
        select
            one.source,
            other.source as other_source,
            one.emitter,
            other.emitter as other_emitter,
            one.source = other.source as is_one_source,
            one.service,
            one.event_date,
            least(one.attempts, other.attempts) as attempts,
            len(list_intersect(one.ids, other.ids)) as same_ids,
            least(one.attempts, other.attempts) * least(one.cost_usd, other.cost_usd) as cost_usd
        from seen as one
        inner join
            seen as other
            on one.minute = other.minute
            and one.model = other.model
            and one.input_tokens = other.input_tokens
            and one.output_tokens is not distinct from other.output_tokens
            and (
                one.source < other.source
                or (
                    one.source = other.source
                    and one.emitter < other.emitter
                    and one.service is not distinct from other.service
                )
            )
    ),

    of_sources as (
        select
            source,
            other_source,
            sum(attempts) as attempts,
            sum(cost_usd) as cost_usd,
            sum(same_ids) as same_ids,
            case
                when sum(same_ids) > 0
                then
                    'add the lines "'
                    || source
                    || ','
                    || source
                    || ',0,sees the same calls" and "'
                    || other_source
                    || ','
                    || source
                    || ',1,sees the same calls" to source_precedence.csv: the higher precedence is kept'
                else
                    'they share no id of the provider, so no line of source_precedence.csv joins them: '
                    || 'land one of the two'
            end as advice,
            min(event_date) as first_date,
            max(event_date) as last_date
        from twice
        where not is_one_source
        group by source, other_source
    ),

    -- calls of a service may be alike by chance: of two instrumentations around each
    -- other, most calls of the one that has fewer have their like
    of_services as (
        select
            source,
            emitter,
            other_emitter,
            service,
            sum(attempts) as attempts,
            sum(cost_usd) as cost_usd,
            sum(same_ids) as same_ids,
            min(event_date) as first_date,
            max(event_date) as last_date
        from twice
        where is_one_source
        group by source, emitter, other_emitter, service
    ),

    of_emitters as (
        select
            of_services.source || ' (' || of_services.emitter || ')' as source,
            of_services.source || ' (' || of_services.other_emitter || ')' as other_source,
            sum(of_services.attempts) as attempts,
            sum(of_services.cost_usd) as cost_usd,
            sum(of_services.same_ids) as same_ids,
            'list one of them under ignore_scopes in mappings/'
            || of_services.source
            || '.yml of the team folder, if both instrument one process' as advice,
            min(of_services.first_date) as first_date,
            max(of_services.last_date) as last_date
        from of_services
        inner join
            emitters as one
            on of_services.source = one.source
            and of_services.emitter = one.emitter
            and of_services.service is not distinct from one.service
        inner join
            emitters as other
            on of_services.source = other.source
            and of_services.other_emitter = other.emitter
            and of_services.service is not distinct from other.service
        where 2 * of_services.attempts >= least(one.attempts, other.attempts)
        group by of_services.source, of_services.emitter, of_services.other_emitter
    )

select
    source,
    other_source,
    cast(attempts as bigint) as attempts,
    cast(cost_usd as decimal(38, 12)) as cost_usd,
    cast(same_ids as bigint) as same_ids,
    advice,
    first_date,
    last_date
from
    (
        select *
        from of_sources
        union all by name
        select *
        from of_emitters
    )
order by attempts desc, source, other_source
