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

    -- of two emitters of one call the one that knows more parts of it is believed: the
    -- span of a provider's SDK has what an instrumentation around it leaves out
    emitters as (
        select
            *,
            source || '/' || coalesce(emitter, '') as emitter_label,
            max(known_parts) over (
                partition by {{ attempt }}, source, emitter, usage_source, is_withdrawn
            ) as known_parts_of_emitter
        from deliveries
    ),

    -- the most complete delivery is kept; a tombstone outranks what it withdraws;
    -- of one emitter the later version counts; the order of loads never decides
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
                    known_parts_of_emitter desc,
                    emitter_label desc,
                    source_version desc nulls last,
                    arrival_date desc nulls last,
                    content_hash desc,
                    line_number desc,
                    item desc
            ) as completeness_rank,
            max(attempt_day) over {{ around("attempt_label", reuse_window, -1) }} as previous_attempt_day
        from emitters
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
            ) as kept_line_number,
            max(case when completeness_rank = 1 then item end) over (partition by {{ attempt }}) as kept_item,
            max(case when completeness_rank = 1 then emitter_label end) over (
                partition by {{ attempt }}
            ) as kept_emitter_label
        from ranked
    ),

    with_others as (
        select
            *,
            {%- for name in dimensions_of_emitters() %}
                substr(
                    min(
                        case
                            when emitter_label <> kept_emitter_label and {{ name }} is not null
                            then lpad(cast(completeness_rank as string), 9, '0') || {{ name }}
                        end
                    ) over (partition by {{ attempt }}),
                    10
                ) as other_{{ name }}{{ "," if not loop.last }}
            {%- endfor %}
        from kept
    )

select
    * exclude (starts, kept_payload_hash, known_parts, known_parts_of_emitter, emitter_label, kept_emitter_label),
    completeness_rank = 1 and not is_withdrawn as is_attempt,
    payload_hash <> kept_payload_hash as is_conflicting,
    count(*) over (partition by {{ attempt }}) as deliveries_of_attempt,
    sum(case when payload_hash <> kept_payload_hash then 1 else 0 end) over (
        partition by {{ attempt }}
    ) as conflicting_deliveries,
    min(occurred_at) over (partition by {{ attempt }}) as attempt_occurred_at,
    case when previous_attempt_day <> attempt_day then attempt_day - previous_attempt_day end as reused_after_days
from with_others
