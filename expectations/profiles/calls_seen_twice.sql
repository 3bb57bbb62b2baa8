-- One row per pair of sources that look as if they saw the same calls: real
-- successes of the recent days, of one minute, model and token counts, that stayed two
-- attempts. What shares an id of the provider is one attempt in a shared scope.
with
    recent as (
        select
            source,
            event_date,
            date_trunc('minute', occurred_at) as minute,
            coalesce(price_model_id, model) as model,
            input_tokens,
            output_tokens,
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
            event_date,
            minute,
            model,
            input_tokens,
            output_tokens,
            count(*) as attempts,
            list(provider_request_id) as ids,
            min(cost_usd) as cost_usd
        from recent
        where (select count(distinct source) from recent) > 1
        group by source, event_date, minute, model, input_tokens, output_tokens
    ),

    twice as (
        select
            one.source,
            other.source as other_source,
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
            and one.source < other.source
    )

select
    source,
    other_source,
    cast(sum(attempts) as bigint) as attempts,
    cast(sum(cost_usd) as decimal(38, 12)) as cost_usd,
    cast(sum(same_ids) as bigint) as same_ids,
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
        else 'they share no id of the provider, so no line of source_precedence.csv joins them: land one of the two'
    end as advice,
    min(event_date) as first_date,
    max(event_date) as last_date
from twice
group by source, other_source
order by attempts desc, source, other_source
