{{ kept_by_date("delivery_days") }}
-- The exceptions to "one delivery is one attempt is one request": small, and the only
-- place where dates depend on each other.
{%- set dirty = dirty_dates() %}
{%- set request = identity_scope_columns() ~ ", request_id, request_day" %}
with
    deliveries as (
        select
            *,
            cast(
                {{ dbt.dateadd("day", "cast(attempt_day as integer)", "cast('2000-01-01' as date)") }} as date
            ) as attempt_date
        from {{ ref("int_candidate_attempts") }}
    ),

    attempts as (
        select
            {{ identity_scope_columns() }},
            request_id,
            attempt,
            attempt_label,
            attempt_occurred_at,
            content_hash,
            line_number,
            item,
            attempt_day as day_number
        from deliveries
        where is_attempt
    ),

    starting as (select *, {{ starts_identity("request_id") }} as starts from attempts),

    requests as (select *, {{ identity_day("request_id") }} as request_day from starting),

    tries as (
        select
            content_hash,
            line_number,
            item,
            cast(
                {{ dbt.dateadd("day", "cast(request_day as integer)", "cast('2000-01-01' as date)") }} as date
            ) as request_date,
            row_number() over (
                partition by {{ request }} order by day_number, attempt nulls last, attempt_occurred_at, attempt_label
            ) as try_number,
            count(*) over (partition by {{ request }}) as tries
        from requests
    )

select
    -- keys
    deliveries.event_date,
    deliveries.content_hash,
    deliveries.line_number,
    deliveries.item,
    source,
    environment,
    data_mode,
    request_id,
    {{ attempt_key("attempt_label", "attempt_date") }} as attempt_key,
    {{ price_key_columns() }},
    -- the attempt
    attempt_date,
    attempt_occurred_at,
    is_attempt,
    is_withdrawn,
    is_conflicting,
    cast(deliveries_of_attempt - 1 as bigint) as duplicate_deliveries,
    cast(conflicting_deliveries as bigint) as conflicting_deliveries,
    kept_content_hash,
    kept_line_number,
    kept_item,
    {%- for name in dimensions_of_emitters() %} other_{{ name }}, {%- endfor %}
    cast(reused_after_days as bigint) as reused_after_days,
    -- the request
    request_date,
    cast(try_number as bigint) as try_number,
    cast(tries as bigint) as tries
from deliveries
left join
    tries
    on deliveries.content_hash = tries.content_hash
    and deliveries.line_number = tries.line_number
    and deliveries.item = tries.item
where
    {{ in_dates("event_date", dirty) }}
    and (
        deliveries_of_attempt > 1
        or tries > 1
        or is_withdrawn
        or reused_after_days is not null
        -- a label that came from afar along a chain of shared ids
        or attempt_label <> own_label
    )
