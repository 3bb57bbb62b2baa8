{{ kept_by_date("alert_signal_days") }}
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set day_scope = "event_date, environment, data_mode" %}
with
    past_leaves as (select * from {{ ref("int_driver_past") }} where {{ in_dates("event_date", dates) }}),

    rates as (select * from {{ ref("int_driver_rates") }} where {{ in_dates("event_date", dates) }})

select
    {{ day_scope }},
    endpoint_tag,
    model,
    sum(past.tokens) / nullif(sum(past.attempts), 0) as tokens_per_attempt,
    sum(past.usd) / nullif(sum(past.tokens), 0) as usd_per_token,
    sum(past.tokens) / nullif(any_value(rates.past_tokens), 0) as share_of_tokens
from past_leaves as past
inner join rates using ({{ day_scope }}, endpoint_tag)
group by {{ day_scope }}, endpoint_tag, model
