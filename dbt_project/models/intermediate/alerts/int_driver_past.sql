{{ kept_by_date("alert_signal_days") }}
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set usual_days = alert_parameter("usual_days") %}
{%- set past_dates = with_neighbours(dates, usual_days, -1) %}
{%- set day_scope = "signal_date, environment, data_mode" %}
{%- set columns = {"tenant": "tenant_id", "user": "user_id"} %}
{#- what a leaf's calls sum to, as far as its dollars are known from it -#}
{%- set measures = [
    "requests",
    "billed_attempts",
    "cost_usd",
    "cost_usd_squares",
    "unpriced_attempts",
    "unpriced_tokens",
    "unpriced_token_squares",
] %}
{%- for kind in token_kinds() %} {%- do measures.append("unpriced_" ~ kind.quantity) -%} {%- endfor %}
with
    signal_days as (
        select distinct event_date as signal_date, environment, data_mode
        from {{ ref("int_alert_signals") }}
        where {{ in_dates("event_date", dates) }} and observed > expected
    ),

    masked as (select * from {{ ref("int_masked_days") }} where {{ in_dates("event_date", past_dates) }}),

    {% for dimension, column in columns.items() %}
        large_{{ column }} as (
            select event_date as signal_date, environment, data_mode, member as {{ column }}
            from {{ ref("int_large_members") }}
            where dimension = '{{ dimension }}' and {{ in_dates("event_date", dates) }}
        ),

        -- whose past is kept separately: large ones, and those whose alerted days are
        -- left out below
        named_{{ column }} as (
            select environment, data_mode, {{ column }}
            from large_{{ column }}
            union
            select environment, data_mode, scope_value
            from masked
            where scope_dimension = '{{ dimension }}'
        ),
    {% endfor %}

    crowded as (
        select
            usage.event_date,
            usage.environment,
            usage.data_mode,
            usage.endpoint_tag,
            coalesce(named_tenant_id.tenant_id, '(other)') as tenant_id,
            coalesce(named_user_id.user_id, '(other)') as user_id,
            usage.provider,
            usage.model,
            {% for measure in measures %}
                sum(usage.{{ measure }}) as {{ measure }} {{- "," if not loop.last }}
            {% endfor %}
        from {{ ref("int_usage_daily") }} as usage
        left join named_tenant_id using (environment, data_mode, tenant_id)
        left join named_user_id using (environment, data_mode, user_id)
        where {{ in_dates("usage.event_date", past_dates) }}
        group by all
    ),

    costed as ({{ costed("crowded") }}),

    -- without usage that was part of an alert; a version is alerted as its endpoint
    unalerted as (
        select costed.*
        from costed {%- set dimensions = leaf_dimensions() | rejectattr("name", "equalto", "prompt_version") | list %}
        {%- for dimension in dimensions %}
            left join
                masked as masked_{{ dimension.name }}
                on masked_{{ dimension.name }}.scope_dimension = '{{ dimension.name }}'
                and {{ same_day_scope("costed", "masked_" ~ dimension.name) }}
                and costed.{{ dimension.column }} = masked_{{ dimension.name }}.scope_value
        {%- endfor %}
        where
            {%- for dimension in dimensions %}
                masked_{{ dimension.name }}.event_date is null {{ "and" if not loop.last }}
            {%- endfor %}
    )

select
    signal_days.signal_date as event_date,
    signal_days.environment,
    signal_days.data_mode,
    unalerted.endpoint_tag,
    coalesce(large_tenant_id.tenant_id, '(other)') as tenant_id,
    coalesce(large_user_id.user_id, '(other)') as user_id,
    unalerted.model,
    {% for measure in driver_measures() %}
        cast(sum(unalerted.{{ measure.sum }}) as double) as {{ measure.name }} {{- "," if not loop.last }}
    {% endfor %}
from signal_days
inner join unalerted using (environment, data_mode)
left join large_tenant_id using ({{ day_scope }}, tenant_id)
left join large_user_id using ({{ day_scope }}, user_id)
where unalerted.event_date between signal_days.signal_date - {{ usual_days }} and signal_days.signal_date - 1
group by all
