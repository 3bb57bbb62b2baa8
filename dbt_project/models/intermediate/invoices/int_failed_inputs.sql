{{ config(materialized="view") }}
-- What a failed call asked: as its other tries did, else as its endpoint asks this
-- model, else as others ask it.
{%- do ref("billable_days") %}
{%- set dates = dirty_dates("int_billable_usage") %}
{%- set read_dates = with_neighbours(dates, 1, 1) %}
with
    read_attempts as (
        select
            attempt_key,
            request_id,
            source,
            environment,
            data_mode,
            event_date,
            endpoint_tag,
            model,
            status,
            input_tokens,
            status = 'error' or pricing_status = 'no_usage' as is_failed,
            coalesce(input_tokens, 0) = 0 as is_without_input
        from {{ ref("fct_attempts") }}
        where {{ in_dates("event_date", read_dates) }} and data_mode <> 'demo' and not is_future
    ),

    attempts as (select * from read_attempts where {{ in_dates("event_date", dates) }}),

    failures as (select * from attempts where is_failed and is_without_input),

    other_tries as (
        select failures.attempt_key, max(read_attempts.input_tokens) as input_tokens
        from failures
        inner join
            read_attempts
            on failures.request_id = read_attempts.request_id
            and failures.source = read_attempts.source
            and failures.environment = read_attempts.environment
            and failures.data_mode = read_attempts.data_mode
        where read_attempts.status = 'success'
        group by failures.attempt_key
    ),

    usual as (
        select
            event_date,
            model,
            endpoint_tag,
            cast(round(sum(input_tokens) / count(*)) as bigint) as input_tokens,
            grouping(endpoint_tag) as is_of_all
        from attempts
        where not is_failed and not is_without_input
        group by grouping sets ((event_date, model, endpoint_tag), (event_date, model))
    )

select
    failures.attempt_key,
    coalesce(other_tries.input_tokens, at_endpoint.input_tokens, of_model.input_tokens, 0) as failed_input_tokens
from failures
left join other_tries on failures.attempt_key = other_tries.attempt_key
left join
    usual as at_endpoint
    on failures.event_date = at_endpoint.event_date
    and failures.model = at_endpoint.model
    and failures.endpoint_tag = at_endpoint.endpoint_tag
    and at_endpoint.is_of_all = 0
left join
    usual as of_model
    on failures.event_date = of_model.event_date
    and failures.model = of_model.model
    and of_model.is_of_all = 1
