{{ kept_by_date("alert_signal_days") }}
-- The calls in the scope of an alert, by hour and error: of each day on which it
-- showed, and of the days that this day is compared with. The scope and what is usual
-- are those of the alert's first day.
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set episode_key = "environment, data_mode, spike_type, anchor, onset_date" %}
{%- set problem_key = "environment, data_mode, round, scope_dimension, scope_value" %}
{%- set first_onset -%}
    select min(onset_date) as onset_date from {{ ref("int_alert_episode_days") }} where {{ in_dates("event_date", dates) }}
{%- endset %}
{%- set first_onset = run_query(first_onset).columns[0].values()[0] if execute and dates else none %}
with
    shown as (
        select {{ alert_id("days") }} as alert_id, days.event_date, {{ episode_key }}, episodes.round
        from {{ ref("int_alert_episode_days") }} as days
        inner join {{ ref("int_alert_episodes") }} as episodes using ({{ episode_key }})
        where {{ in_dates("days.event_date", dates) }}
    ),

    scoped as (
        select shown.*, problems.scope_dimension, problems.scope_value
        from shown
        inner join
            {{ ref("int_problems") }} as problems
            on shown.onset_date = problems.event_date
            and shown.environment = problems.environment
            and shown.data_mode = problems.data_mode
            and shown.round = problems.round
    ),

    usual as (
        select
            scoped.*,
            days.compared_date,
            extract(dayofweek from days.compared_date) = extract(dayofweek from scoped.event_date) as is_of_its_weekday
        from scoped
        inner join
            {{ ref("int_compared_days") }} as days
            on scoped.onset_date = days.event_date
            and scoped.environment = days.environment
            and scoped.data_mode = days.data_mode
            and scoped.round = days.round
    ),

    chosen as (
        select *
        from usual
        qualify
            is_of_its_weekday or max(cast(is_of_its_weekday as integer)) over (partition by alert_id, event_date) = 0
    ),

    days as (
        select alert_id, event_date, {{ problem_key }}, event_date as call_date
        from scoped
        union all
        select alert_id, event_date, {{ problem_key }}, compared_date
        from chosen
    ),

    -- a day that is not complete is compared hour by hour
    compared as (
        select days.*, coalesce(hours.through_hour, 23) as through_hour
        from days
        left join {{ ref("int_open_hours") }} as hours using (event_date, environment, data_mode)
    ),

    calls as (
        select *
        from {{ ref("fct_attempts") }}
        where
            event_date
            between date '{{ first_onset or "2015-01-01" }}'
            - {{ alert_parameter("usual_days") }} and date '{{ dates | last or "2015-01-01" }}'
            and not is_future
    ),

    called as (
        select
            compared.alert_id,
            compared.event_date,
            compared.call_date,
            compared.through_hour,
            cast(extract(hour from calls.occurred_at) as integer) as hour_of_day,
            calls.environment,
            calls.data_mode,
            calls.provider,
            calls.model,
            case when calls.status = 'error' then coalesce(calls.error_code, '(unattributed)') end as error_code,
            case when calls.status = 'error' then calls.http_status end as http_status,
            count(calls.event_date) as attempts,
            sum(cast(calls.is_first_try as integer)) as requests,
            coalesce(sum(calls.cost_usd), 0) as cost_usd,
            {{ unpriced_quantities() }}
        from compared
        -- a day without calls is a day too: its hour is unknown
        left join
            calls
            on compared.environment = calls.environment
            and compared.data_mode = calls.data_mode
            and compared.call_date = calls.event_date
            and extract(hour from calls.occurred_at) <= compared.through_hour
            and {{ in_scope("calls", "compared") }}
        group by all
    )

select
    called.alert_id,
    called.event_date,
    called.call_date,
    called.through_hour,
    called.hour_of_day,
    called.error_code,
    called.http_status,
    cast(sum(called.attempts) as bigint) as attempts,
    cast(coalesce(sum(called.requests), 0) as bigint) as requests,
    cast(sum(called.cost_usd) as decimal(38, 12)) as cost_usd,
    cast(sum(coalesce({{ exposure_of("called", "exposure") }}, 0)) as decimal(38, 12)) as exposure_usd
from called
left join {{ ref("int_exposure") }} as exposure using (environment, data_mode, provider, model)
group by all
