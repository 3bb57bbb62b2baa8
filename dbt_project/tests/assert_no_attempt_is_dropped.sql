{{ config(meta={"dagster": {"ref": {"name": "fct_attempts"}}}) }}
-- Fails if a loaded delivery is neither an attempt, nor a counted repeat of one, nor
-- withdrawn, nor a span that restates a call: then dedupe or a join lost a row.
-- depends_on: {{ ref("fct_attempts") }}
{%- set dates = unverified_dates("fct_attempts") %}
with
    loaded as (select event_date, deliveries from {{ ref("event_days") }} where {{ in_dates("event_date", dates) }}),

    repeated as (
        select
            event_date,
            sum(case when not is_attempt then 1 else 0 end) as repeats,
            sum(case when is_attempt and attempt_date <> event_date then 1 else 0 end) as moved_away
        from {{ ref("int_repeated_deliveries") }}
        where {{ in_dates("event_date", dates) }}
        group by event_date
    ),

    moved_here as (
        select attempt_date as event_date, count(*) as attempts
        from {{ ref("int_repeated_deliveries") }}
        where is_attempt and attempt_date <> event_date and {{ in_dates("attempt_date", dates) }}
        group by attempt_date
    ),

    lone_tombstones as (
        select deliveries.event_date, count(*) as tombstones
        from {{ ref("int_deliveries") }} as deliveries
        left join
            {{ ref("int_repeated_deliveries") }} as repeats
            on deliveries.event_date = repeats.event_date
            and deliveries.content_hash = repeats.content_hash
            and deliveries.line_number = repeats.line_number
            and deliveries.item = repeats.item
        where
            deliveries.is_withdrawn and repeats.content_hash is null and {{ in_dates("deliveries.event_date", dates) }}
        group by deliveries.event_date
    ),

    restating as (
        select event_date, count(*) as spans
        from {{ ref("int_span_dimensions") }}
        where is_restating and {{ in_dates("event_date", dates) }}
        group by event_date
    ),

    attempts as (
        select event_date, count(*) as attempts from {{ to_verify("fct_attempts", dates) }} as fact group by event_date
    )

select
    loaded.event_date,
    loaded.deliveries,
    coalesce(attempts.attempts, 0) as attempts,
    coalesce(repeated.repeats, 0) as repeats
from loaded
left join attempts on loaded.event_date = attempts.event_date
left join repeated on loaded.event_date = repeated.event_date
left join moved_here on loaded.event_date = moved_here.event_date
left join lone_tombstones on loaded.event_date = lone_tombstones.event_date
left join restating on loaded.event_date = restating.event_date
where
    loaded.deliveries
    <> coalesce(attempts.attempts, 0)
    + coalesce(repeated.repeats, 0)
    + coalesce(repeated.moved_away, 0)
    - coalesce(moved_here.attempts, 0)
    + coalesce(lone_tombstones.tombstones, 0)
    + coalesce(restating.spans, 0)
