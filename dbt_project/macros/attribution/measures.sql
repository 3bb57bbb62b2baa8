{#- A sum of counts as BIGINT, the type of every published count; unknown where that does not hold it, which takes a million rows
    of 13 digits each. -#}
{% macro sum_of_counts(column) %} {{ return(cast_or_null("sum(" ~ column ~ ")", "bigint")) }} {% endmacro %}

{#- What every cost mart measures, defined once. Sums over nothing priced stay NULL: an unknown cost is never zero. -#}
{% macro cost_measures() %}
    cast(sum(cast(is_first_try as integer)) as bigint) as requests,
    count(*) as attempts,
    cast(sum(case when status = 'success' then 1 else 0 end) as bigint) as successes,
    cast(sum(case when status = 'error' then 1 else 0 end) as bigint) as errors,
    {{ sum_of_counts("input_tokens") }} as input_tokens,
    {{ sum_of_counts("cache_read_tokens") }} as cache_read_tokens,
    {{ sum_of_counts("output_tokens") }} as output_tokens,
    {{ sum_of_counts("reasoning_tokens") }} as reasoning_tokens,
    cast(sum(cost_usd) as decimal(38, 12)) as cost_usd,
    cast(sum(case when is_last_try then null else cost_usd end) as decimal(38, 12)) as retry_cost_usd,
    cast(sum(case when usage_source = 'estimate' then cost_usd end) as decimal(38, 12)) as estimated_cost_usd,
    cast(sum(case when is_approximate then cost_usd end) as decimal(38, 12)) as approximate_cost_usd,
    cast(sum(reported_cost_usd) as decimal(38, 12)) as reported_cost_usd,
    cast(sum(case when pricing_status = 'unpriced' then 1 else 0 end) as bigint) as unpriced_attempts,
    cast(sum(case when pricing_status = 'no_usage' then 1 else 0 end) as bigint) as no_usage_attempts,
    cast(sum(cast(is_approximate as integer)) as bigint) as approximate_attempts,
    avg(latency_ms) as avg_latency_ms
{% endmacro %}

{#- One row per event date, environment, data mode and member of a dimension; what was not sent is counted under (unattributed). -#}
{% macro daily_cost_by(dimensions) %}
    {%- set day_scope = "event_date, environment, data_mode" %}
    with
        attempts as (select * from {{ ref("fct_attempts") }} where {{ in_dates("event_date", dirty_dates()) }}),

        measured as (
            select
                {{ day_scope }},
                {%- for dimension in dimensions %}
                    coalesce({{ dimension }}, '(unattributed)') as {{ dimension }},
                {%- endfor %}
                {{ cost_measures() }}
            from attempts
            group by
                {{ day_scope }}
                {% for dimension in dimensions %}, coalesce({{ dimension }}, '(unattributed)'){% endfor %}
        )

    select
        *,
        cast(cost_usd as double) / nullif(requests, 0) as cost_per_request_usd,
        cast(successes as double) / attempts as success_ratio,
        cast(cost_usd as double)
        / nullif(cast(sum(cost_usd) over (partition by {{ day_scope }}) as double), 0) as share_of_cost
    from measured
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
