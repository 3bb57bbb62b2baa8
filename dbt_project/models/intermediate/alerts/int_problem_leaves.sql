{{ kept_by_date("alert_signal_days") }}
-- The two sides of every comparison: the day of a problem, and the same weekdays of the
-- four weeks before (int_compared_days), averaged.
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set usual_days = alert_parameter("usual_days") %}
{%- set problem_key = "event_date, environment, data_mode, round" %}
{%- set measures = ["requests", "attempts", "successes", "tokens", "cost_usd", "exposure_usd", "unpriced_attempts"] %}
with
    problems as (
        select {{ problem_key }}, scope_dimension, scope_value
        from {{ ref("int_problems") }}
        where {{ in_dates("event_date", dates) }}
    ),

    days as (select * from {{ ref("int_compared_days") }} where {{ in_dates("event_date", dates) }}),

    baseline as (
        select *, count(*) over (partition by {{ problem_key }}, is_same_weekday) as baseline_days
        from days
        qualify is_same_weekday or max(cast(is_same_weekday as integer)) over (partition by {{ problem_key }}) = 0
    ),

    compared as (
        select problems.*, event_date as compared_date, 1 as is_current, cast(null as double) as baseline_days
        from problems
        union all
        select
            baseline.* exclude (is_same_weekday, baseline_days),
            null,
            -- of a day that is not over, as much is usual as is usually over by now
            baseline.baseline_days / coalesce(own.usual_share, total.usual_share, 1)
        from baseline
        left join
            {{ ref("int_judged_shares") }} as own
            on {{ same_day_scope("baseline", "own") }}
            and own.scope_dimension = 'endpoint'
            and baseline.scope_dimension in ('endpoint', 'endpoint x model')
            and split_part(baseline.scope_value, ' | ', 1) = own.scope_value
        left join
            {{ ref("int_judged_shares") }} as total
            on {{ same_day_scope("baseline", "total") }}
            and total.scope_dimension = 'total'
    ),

    usage as (
        select *
        from {{ ref("int_judged_usage") }}
        where {{ in_dates("event_date", with_neighbours(dates, usual_days, 0)) }}
    ),

    sides as (
        select
            {% for column in problem_key.split(", ") %} compared.{{ column }}, {% endfor %}
            usage.endpoint_tag,
            usage.prompt_version,
            usage.tenant_id,
            usage.user_id,
            usage.model,
            {% for measure in measures %} usage.{{ measure }}, {% endfor %}
            compared.is_current,
            compared.baseline_days
        from compared
        inner join
            usage
            on compared.environment = usage.environment
            and compared.data_mode = usage.data_mode
            and compared.compared_date = usage.event_date
        where {{ in_scope("usage", "compared") }}
    )

select
    {{ problem_key }},
    endpoint_tag,
    prompt_version,
    tenant_id,
    user_id,
    model,
    {% for measure in measures %}
        coalesce(sum(case when is_current = 1 then {{ measure }} end), 0) as current_{{ measure }},
        coalesce(
            cast(sum(case when is_current is null then {{ measure }} end) as double) / any_value(baseline_days), 0
        ) as baseline_{{ measure }}
        {{- "," if not loop.last }}
    {% endfor %}
from sides
group by {{ problem_key }}, endpoint_tag, prompt_version, tenant_id, user_id, model
