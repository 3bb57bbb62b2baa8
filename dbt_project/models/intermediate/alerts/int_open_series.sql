{{ kept_by_date("alert_open_days") }}
-- The watched series of a day that is not complete, through each hour that counts.
{%- set dates = dirty_dates() %}
{%- set key = "event_date, environment, data_mode, scope_dimension, scope_value" %}
{%- set sums = [
    "requests",
    "attempts",
    "billed_attempts",
    "successes",
    "unpriced_attempts",
    "exposure_usd",
    "watched_usd",
    "watched_usd_squares",
    "typical_calls",
    "cost_usd_logs",
    "cost_usd_log_squares",
] %}
with
    calls as (
        select
            calls.*,
            {% for kind in token_kinds() %}
                coalesce(calls.{{ kind.quantity }}, 0) as counted_{{ kind.quantity }},
            {% endfor %}
            cast(extract(hour from calls.occurred_at) as integer) as hour_of_day,
            coalesce(calls.input_tokens, 0) + coalesce(calls.output_tokens, 0) as tokens
        from {{ ref("fct_attempts") }} as calls
        where {{ in_dates("calls.event_date", dates) }} and not calls.is_future
    ),

    costed as (
        select
            calls.*,
            case
                when calls.pricing_status = 'unpriced'
                then coalesce({{ exposure_of("calls", "exposure", prefix="counted_") }}, 0)
                else 0
            end as exposure_usd
        from calls
        left join {{ ref("int_exposure") }} as exposure using (environment, data_mode, provider, model)
        inner join {{ ref("int_open_hours") }} as hours using (event_date, environment, data_mode)
        where calls.hour_of_day <= hours.through_hour
    ),

    hourly as (
        {% for dimension, columns in watched_series().items() %}
            select
                event_date,
                environment,
                data_mode,
                '{{ dimension }}' as scope_dimension,
                {{ columns | join(" || ' | ' || ") or "'all'" }} as scope_value,
                hour_of_day,
                sum(cast(is_first_try as integer)) as requests,
                count(*) as attempts,
                sum(case when tokens > 0 then 1 else 0 end) as billed_attempts,
                sum(case when status = 'success' then 1 else 0 end) as successes,
                sum(case when pricing_status = 'unpriced' then 1 else 0 end) as unpriced_attempts,
                sum(exposure_usd) as exposure_usd,
                sum(coalesce(cost_usd, 0) + exposure_usd) as watched_usd,
                sum(power(cast(coalesce(cost_usd, 0) + exposure_usd as double), 2)) as watched_usd_squares,
                sum(case when cost_usd > 0 then 1 else 0 end) as typical_calls,
                coalesce(sum(case when cost_usd > 0 then ln(cast(cost_usd as double)) end), 0) as cost_usd_logs,
                coalesce(
                    sum(case when cost_usd > 0 then power(ln(cast(cost_usd as double)), 2) end), 0
                ) as cost_usd_log_squares
            from costed
            group by event_date, environment, data_mode, scope_value, hour_of_day {{ "union all" if not loop.last }}
        {% endfor %}
    ),

    -- hours without a call of the series are judged too: the day goes on
    firsts as (select {{ key }}, min(hour_of_day) as first_hour from hourly group by {{ key }}),

    judged as (
        select {% for column in key.split(", ") %} firsts.{{ column }}, {% endfor %} clock.hour_of_day
        from firsts
        inner join {{ ref("int_open_hours") }} as hours using (event_date, environment, data_mode)
        inner join
            (select cast(unnest(generate_series(0, 23)) as integer) as hour_of_day) as clock
            on clock.hour_of_day between firsts.first_hour and hours.through_hour
    )

select
    {{ key }},
    hour_of_day,
    {% for measure in sums %}
        {%- set type = (
            "decimal(38, 12)"
            if measure in ["exposure_usd", "watched_usd"]
            else "double" if "squares" in measure or "logs" in measure else "bigint"
        ) %}
        cast(
            coalesce(
                sum(hourly.{{ measure }}) over (
                    partition by {{ key }}
                    order by hour_of_day nulls last
                    rows between unbounded preceding and current row
                ),
                0
            ) as {{ type }}
        ) as {{ measure }} {{- "," if not loop.last }}
    {% endfor %}
from judged
left join hourly using ({{ key }}, hour_of_day)
