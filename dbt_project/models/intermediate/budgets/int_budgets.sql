{{ config(materialized="view") }}
-- Limits with defaults for what the file leaves blank, and the instants between which
-- each holds.
{%- set defaults = budget_defaults() %}
{%- set warning_ratio = "coalesce(warning_ratio, cast(" ~ defaults.warning_ratio ~ " as decimal(12, 4)))" %}
with budgets as (select * from {{ ref("stg_budgets") }})

select
    budget_id,
    environments,
    coalesce(data_modes, 'real') as data_modes,
    {{ budget_scope_columns() | join(", ") }},
    period,
    time_zone,
    limit_usd,
    -- 26 digits by 12: the product has 38, which every engine keeps exactly
    cast(limit_usd * {{ warning_ratio }} as decimal(38, 12)) as warning_usd,
    cast({{ warning_ratio }} as decimal(12, 4)) as warning_ratio,
    coalesce(carry_over, 'none') as carry_over,
    coalesce(is_spend_alert_on, true) as is_spend_alert_on,
    {% for threshold in ["min_elapsed_share", "min_spent_share", "burn_ratio", "fast_burn_ratio", "lower_ratio"] %}
        coalesce({{ threshold }}, {{ defaults[threshold] }}) as {{ threshold }},
    {% endfor %}
    greatest(coalesce({{ nearest_integer("quiet_hours * 4") }}, {{ budget_window("quiet") }}), 1) as quiet_quarters,
    {{ utc_time("valid_from", "time_zone") }} as valid_from_at,
    {{ utc_time("valid_to", "time_zone") }} as valid_to_at,
    owner,
    channel,
    escalation_channel,
    runbook_url,
    {{ utc_time("muted_from", "time_zone") }} as muted_from_at,
    {{ utc_time("muted_until", "time_zone") }} as muted_until_at
from budgets
