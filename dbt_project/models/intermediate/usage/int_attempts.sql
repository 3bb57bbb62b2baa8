{{ config(materialized="view") }}
-- Deliveries become attempts: repeats are dropped, the kept one takes the date of the
-- first. Inclusive counts become disjoint token kinds.
{%- set kinds = token_kinds() %}
{%- set depths = 1 + kinds | map(attribute="depth") | max %}
with
    deliveries as (
        select
            *,
            event_date as delivery_date,
            {{ attempt_key(own_attempt_label(), "event_date") }} as own_attempt_key,
            -- a token kind that was not reported is 0 where usage is known, and unknown
            -- where it is not
            case when usage_source <> 'missing' then 0 end as none_unless_missing
        from {{ ref("int_deliveries") }}
    ),

    repeats as (select * from {{ ref("int_repeated_deliveries") }}),

    attempts as (
        select
            deliveries.* exclude (
                event_date, occurred_at, own_attempt_key, endpoint_tag, prompt_version, feature_tag, tenant_id, user_id
            ),
            -- what it lacks, another emitter may have said of the same call
            {%- for name in dimensions_of_emitters() %}
                coalesce(deliveries.{{ name }}, repeats.other_{{ name }}) as {{ name }},
            {%- endfor %}
            coalesce(repeats.attempt_date, deliveries.event_date) as event_date,
            coalesce(repeats.attempt_occurred_at, deliveries.occurred_at) as occurred_at,
            coalesce(repeats.attempt_key, deliveries.own_attempt_key) as attempt_key,
            coalesce(repeats.duplicate_deliveries, 0) as duplicate_deliveries,
            coalesce(repeats.conflicting_deliveries, 0) as conflicting_deliveries,
            coalesce(repeats.request_date, deliveries.event_date) as request_date,
            coalesce(repeats.try_number, 1) as try_number,
            coalesce(repeats.try_number = 1, true) as is_first_try,
            coalesce(repeats.try_number = repeats.tries, true) as is_last_try
        from deliveries
        left join
            repeats
            on deliveries.event_date = repeats.event_date
            and deliveries.content_hash = repeats.content_hash
            and deliveries.line_number = repeats.line_number
            and deliveries.item = repeats.item
        where coalesce(repeats.is_attempt, not deliveries.is_withdrawn)
    ),

    -- token kinds: every token is in exactly one. What is part of a narrower one,
    -- or of another unit under `usage`, is not counted again. The narrowest come first.
    {% for depth in range(depths) %}
        {%- set replaced = [] %}
        {%- for kind in kinds if kind.depth == depth and kind.quantity == kind.count %}
            {%- do replaced.append(kind.count) %}
        {%- endfor %}
        kinds_of_depth_{{ depth }} as (
            select
                *
                {%- if replaced %} exclude ({{ replaced | join(", ") }}) {%- endif %},
                {%- for kind in kinds if kind.depth == depth %}
                    {%- set remainder -%}
                        {{ kind.count }}
                        {%- for part in kind.parts %} - coalesce({{ part }}, 0) {%- endfor %}
                        {%- if kind.other_parts %} - {{ other_units_sum("other_usage", kind.other_parts) }} {%- endif %}
                    {%- endset %}
                    {% if kind.is_what_is_left %} {{ remainder }}
                    {% elif kind.count %} coalesce({{ remainder }}, none_unless_missing)
                    {% else %} none_unless_missing + 1
                    {% endif %} as {{ kind.quantity }}{{ "," if not loop.last }}
                {%- endfor %}
            from {{ "attempts" if depth == 0 else "kinds_of_depth_" ~ (depth - 1) }}
        ){{ "," if not loop.last }}
    {%- endfor %}

select * exclude (none_unless_missing)
from kinds_of_depth_{{ depths - 1 }}
