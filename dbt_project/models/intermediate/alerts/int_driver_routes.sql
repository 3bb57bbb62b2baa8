{{ kept_by_date("alert_signal_days") }}
-- What every route (a model at an endpoint) did in the 28 days before, on days that
-- were not alerted: its part of the endpoint's calls, and units and dollars of each
-- token kind.
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set usual_days = alert_parameter("usual_days") %}
{%- set past_dates = with_neighbours(dates, usual_days, -1) %}
{%- set dimensions = leaf_dimensions() | rejectattr("name", "equalto", "prompt_version") | list %}
with
    signal_days as (
        select distinct event_date as signal_date, environment, data_mode
        from {{ ref("int_alert_signals") }}
        where {{ in_dates("event_date", dates) }} and observed > expected
    ),

    masked as (select * from {{ ref("int_masked_days") }} where {{ in_dates("event_date", past_dates) }}),

    usage as (select * from {{ ref("int_costed_usage") }} where {{ in_dates("event_date", past_dates) }}),

    daily as (
        select
            usage.event_date,
            usage.environment,
            usage.data_mode,
            usage.endpoint_tag,
            usage.model,
            sum(usage.billed_attempts) as attempts,
            cast(sum(usage.watched_usd) as double) as usd,
            {{ sums_of_kinds("usage") }}
        from usage
        {%- for dimension in dimensions %}
            left join
                masked as masked_{{ dimension.name }}
                on masked_{{ dimension.name }}.scope_dimension = '{{ dimension.name }}'
                and {{ same_day_scope("usage", "masked_" ~ dimension.name) }}
                and usage.{{ dimension.column }} = masked_{{ dimension.name }}.scope_value
        {%- endfor %}
        where
            {%- for dimension in dimensions %}
                masked_{{ dimension.name }}.event_date is null {{ "and" if not loop.last }}
            {%- endfor %}
        group by all
    )

select
    signal_days.signal_date as event_date,
    signal_days.environment,
    signal_days.data_mode,
    daily.endpoint_tag,
    daily.model,
    cast(sum(daily.attempts) as double) as attempts,
    sum(daily.usd) as usd,
    cast(sum(daily.attempts) as double) / nullif(
        cast(
            sum(sum(daily.attempts)) over (
                partition by signal_days.signal_date, signal_days.environment, signal_days.data_mode, daily.endpoint_tag
            ) as double
        ),
        0
    ) as share_of_attempts,
    {% for kind in watched_kinds() %}
        sum(daily.{{ kind.name }}_units) as {{ kind.name }}_units,
        sum(daily.{{ kind.name }}_usd) as {{ kind.name }}_usd {{- "," if not loop.last }}
    {% endfor %}
from signal_days
inner join daily using (environment, data_mode)
where daily.event_date between signal_days.signal_date - {{ usual_days }} and signal_days.signal_date - 1
group by signal_days.signal_date, signal_days.environment, signal_days.data_mode, daily.endpoint_tag, daily.model
