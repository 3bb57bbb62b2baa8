{#- A sum of counts as BIGINT, the type of every published count; unknown where that does not hold it, which takes a million rows
    of 13 digits each. -#}
{% macro sum_of_counts(column) %} {{ return(cast_or_null("sum(" ~ column ~ ")", "bigint")) }} {% endmacro %}

{#- How much of each token kind the calls without a price used. -#}
{% macro unpriced_quantities(prefix="") %}
    {%- for kind in token_kinds() %}
        cast(
            coalesce(sum(case when pricing_status = 'unpriced' then {{ kind.quantity }} end), 0) as decimal(38, 0)
        ) as {{ prefix }}{{ kind.quantity }} {{- "," if not loop.last }}
    {%- endfor %}
{% endmacro %}

{#- The part of the cost that attempts of a kind have: 0 where there is none of the kind, unknown where none of them is priced. -#}
{% macro part_of_cost(kind) -%}
    cast(
        case
            when sum(case when {{ kind }} then 1 else 0 end) = 0 then 0 else sum(case when {{ kind }} then cost_usd end)
        end as decimal(38, 12)
    )
{%- endmacro %}

{#- Whether all of a date is expected to be there. -#}
{% macro is_complete_day(date) -%}
    {{ as_of() }} >= {{ dbt.dateadd("hour", 24 + lateness_hours(), date) }}
{%- endmacro %}

{#- What every cost mart measures, defined once. Sums over nothing priced stay NULL: an unknown cost is never zero. -#}
{% macro cost_measures() %}
    cast(sum(cast(is_first_try as integer)) as bigint) as requests,
    cast(sum(case when is_last_try and status = 'success' then 1 else 0 end) as bigint) as successful_requests,
    count(*) as attempts,
    cast(sum(case when status = 'success' then 1 else 0 end) as bigint) as successes,
    cast(sum(case when status = 'error' then 1 else 0 end) as bigint) as errors,
    {{ sum_of_counts("input_tokens") }} as input_tokens,
    {{ sum_of_counts("cache_read_tokens") }} as cache_read_tokens,
    {{ sum_of_counts("output_tokens") }} as output_tokens,
    {{ sum_of_counts("reasoning_tokens") }} as reasoning_tokens,
    cast(sum(cost_usd) as decimal(38, 12)) as cost_usd,
    {{ part_of_cost("not is_last_try") }} as retry_cost_usd,
    {{ part_of_cost("usage_source = 'estimate'") }} as estimated_cost_usd,
    {{ part_of_cost("is_approximate") }} as approximate_cost_usd,
    cast(sum(reported_cost_usd) as decimal(38, 12)) as reported_cost_usd,
    cast(sum(case when pricing_status = 'unpriced' then 1 else 0 end) as bigint) as unpriced_attempts,
    cast(sum(case when pricing_status = 'no_usage' then 1 else 0 end) as bigint) as no_usage_attempts,
    cast(sum(cast(is_approximate as integer)) as bigint) as approximate_attempts,
    avg(latency_ms) as avg_latency_ms
{% endmacro %}

{#- One row per event date, environment, data mode and member of a dimension, with sums and no ratio but the mean latency: over several
    rows, a ratio is the ratio of the sums. -#}
{% macro daily_cost_by(dimensions) %}
    {%- set cell = ["event_date", "environment", "data_mode"] + dimensions %}
    select {{ cell | join(", ") }}, {{ is_complete_day("event_date") }} as is_complete, {{ cost_measures() }}
    from {{ ref("fct_attempts") }}
    where {{ in_dates("event_date", dirty_dates()) }}
    group by {{ cell | join(", ") }}
{% endmacro %}

{#- The figures of a dimension's members: when they were seen, and their usage and cost in real data, all
    environments together. The daily marts have the rest. -#}
{% macro member_measures() %}
    min(event_date) as first_seen_date,
    max(event_date) as last_seen_date,
    {% for measure, kind in [
        ("requests", "bigint"),
        ("attempts", "bigint"),
        ("cost_usd", "decimal(38, 12)"),
        ("unpriced_attempts", "bigint"),
    ] %}
        cast(sum(case when data_mode = 'real' then {{ measure }} end) as {{ kind }}) as real_{{ measure }}
        {{- "," if not loop.last }}
    {% endfor %}
{% endmacro %}
