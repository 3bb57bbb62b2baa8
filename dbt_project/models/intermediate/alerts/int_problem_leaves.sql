{{ kept_by_date("alert_signal_days") }}
-- The two sides of every comparison, member by member.
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set usual_days = alert_parameter("usual_days") %}
{%- set problem_key = "event_date, environment, data_mode, round" %}
{%- set measures = ["requests", "attempts", "successes", "tokens", "cost_usd", "exposure_usd", "unpriced_attempts"] %}
with
    compared as (select * from {{ ref("int_problem_days") }} where {{ in_dates("event_date", dates) }}),

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
        coalesce(sum(case when is_current then {{ measure }} end), 0) as current_{{ measure }},
        coalesce(
            cast(sum(case when not is_current then {{ measure }} end) as double) / any_value(baseline_days), 0
        ) as baseline_{{ measure }}
        {{- "," if not loop.last }}
    {% endfor %}
from sides
group by {{ problem_key }}, endpoint_tag, prompt_version, tenant_id, user_id, model
