{{ kept_by_date("delivery_days") }}
-- What a traced call takes from the spans above it, in whatever file and order they
-- landed: of the nearest one that says it, else what all spans of the trace agree in.
-- A call above a call restates it.
{%- set dirty = dirty_dates() %}
{%- set dimensions = dimensions_of_emitters() %}
with
    spans as (
        select *
        from {{ ref("stg_spans") }}
        where {{ in_dates("event_date", with_neighbours(dirty, identity_window_days(), identity_window_days())) }}
    ),

    -- a span that landed twice is one
    named as (
        select
            source,
            trace_id,
            span_id,
            min(parent_span_id) as parent_span_id,
            max(case when is_call then 1 else 0 end) as is_call,
            {%- for name in dimensions %} min({{ name }}) as {{ name }}{{ "," if not loop.last }} {%- endfor %}
        from spans
        group by source, trace_id, span_id
    ),

    {% for depth in range(1, 7) %}
        above_{{ depth }} as (
            select
                below.source,
                below.trace_id,
                below.{{ "span_id" if depth == 1 else "call_span_id" }} as call_span_id,
                {{ depth }} as depth,
                named.span_id as above_span_id,
                named.parent_span_id,
                named.is_call,
                {%- for name in dimensions %} named.{{ name }}{{ "," if not loop.last }} {%- endfor %}
            from {{ "named" if depth == 1 else "above_" ~ (depth - 1) }} as below
            inner join
                named
                on below.source = named.source
                and below.trace_id = named.trace_id
                and below.parent_span_id = named.span_id
                {%- if depth == 1 %} and below.is_call = 1 {%- endif %}
        ),
    {% endfor %}

    above as (
        {% for depth in range(1, 7) %}select * from above_{{ depth }} {{ "union all" if not loop.last }} {% endfor %}
    ),

    nearest as (
        select
            source,
            trace_id,
            call_span_id,
            {%- for name in dimensions %}
                substr(
                    min(case when {{ name }} is not null then cast(depth as string) || {{ name }} end), 2
                ) as {{ name }}
                {{- "," if not loop.last }}
            {%- endfor %}
        from above
        group by source, trace_id, call_span_id
    ),

    agreed as (
        select
            source,
            trace_id,
            {%- for name in dimensions %}
                case when min({{ name }}) = max({{ name }}) then min({{ name }}) end as {{ name }}
                {{- "," if not loop.last }}
            {%- endfor %}
        from named
        group by source, trace_id
    ),

    restating as (select distinct source, trace_id, above_span_id from above where is_call = 1)

select
    spans.event_date,
    spans.source,
    spans.content_hash,
    spans.line_number,
    spans.item,
    restating.above_span_id is not null as is_restating,
    {%- for name in dimensions %}
        coalesce(nearest.{{ name }}, agreed.{{ name }}) as {{ name }}{{ "," if not loop.last }}
    {%- endfor %}
from spans
left join
    nearest
    on spans.source = nearest.source
    and spans.trace_id = nearest.trace_id
    and spans.span_id = nearest.call_span_id
left join agreed on spans.source = agreed.source and spans.trace_id = agreed.trace_id
left join
    restating
    on spans.source = restating.source
    and spans.trace_id = restating.trace_id
    and spans.span_id = restating.above_span_id
where
    spans.is_call
    and {{ in_dates("spans.event_date", dirty) }}
    and (
        restating.above_span_id is not null
        {%- for name in dimensions %}
            or (spans.{{ name }} is null and coalesce(nearest.{{ name }}, agreed.{{ name }}) is not null)
        {%- endfor %}
    )
