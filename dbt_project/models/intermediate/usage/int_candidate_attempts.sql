-- Candidates grouped into attempts: which delivery of an attempt is kept, and how many
-- repeat or contradict it.
{%- set attempt = identity_scope_columns() ~ ", attempt_label, attempt_day" %}
{%- set reuse_window = 4 * identity_window_days() %}
with
    candidates as (
        select *, {{ starts_identity("attempt_label") }} as starts from {{ ref("int_identity_candidates") }}
    ),

    arrivals as (select * from {{ ref("int_arrivals") }}),

    deliveries as (
        select candidates.*, arrivals.arrival_date, {{ identity_day("attempt_label") }} as attempt_day
        from candidates
        left join arrivals on candidates.source = arrivals.source and candidates.content_hash = arrivals.content_hash
    ),

    -- the most complete delivery is kept; a tombstone outranks what it withdraws; the
    -- order of loads never decides
    ranked as (
        select
            *,
            row_number() over (
                partition by {{ attempt }}
                order by
                    is_withdrawn desc,
                    source_precedence desc,
                    case
                        usage_source when 'provider' then 1 when 'provider_partial' then 2 when 'estimate' then 3 else 4
                    end,
                    arrival_date desc nulls last,
                    content_hash desc,
                    line_number desc
            ) as completeness_rank,
            max(attempt_day) over {{ around("attempt_label", reuse_window, -1) }} as previous_attempt_day
        from deliveries
    ),

    kept as (
        select
            *,
            max(case when completeness_rank = 1 then payload_hash end) over (
                partition by {{ attempt }}
            ) as kept_payload_hash,
            max(case when completeness_rank = 1 then content_hash end) over (
                partition by {{ attempt }}
            ) as kept_content_hash,
            max(case when completeness_rank = 1 then line_number end) over (
                partition by {{ attempt }}
            ) as kept_line_number
        from ranked
    )

select
    * exclude (starts, kept_payload_hash),
    completeness_rank = 1 and not is_withdrawn as is_attempt,
    payload_hash <> kept_payload_hash as is_conflicting,
    count(*) over (partition by {{ attempt }}) as deliveries_of_attempt,
    sum(case when payload_hash <> kept_payload_hash then 1 else 0 end) over (
        partition by {{ attempt }}
    ) as conflicting_deliveries,
    min(occurred_at) over (partition by {{ attempt }}) as attempt_occurred_at,
    case when previous_attempt_day <> attempt_day then attempt_day - previous_attempt_day end as reused_after_days
from kept
