{{ config(materialized="view") }}
-- Limits with what the seed leaves blank, and the instants from which and until which each holds.
with budgets as (select * from {{ ref("budgets") }})

select
    budget_id,
    environments,
    coalesce(data_modes, 'real') as data_modes,
    {{ budget_scope_columns() | join(", ") }},
    period,
    time_zone,
    limit_usd,
    -- 26 digits by 12: the product has 38, and no engine squeezes it
    cast(limit_usd * coalesce(warning_ratio, cast(0.8 as decimal(12, 4))) as decimal(38, 12)) as warning_usd,
    cast(coalesce(warning_ratio, cast(0.8 as decimal(12, 4))) as decimal(12, 4)) as warning_ratio,
    coalesce(carry_over, 'none') as carry_over,
    coalesce(is_spend_alert_on, true) as is_spend_alert_on,
    coalesce(min_elapsed_share, 0.25) as min_elapsed_share,
    coalesce(min_spent_share, 0.05) as min_spent_share,
    coalesce(burn_ratio, 1.1) as burn_ratio,
    coalesce(fast_burn_ratio, 6) as fast_burn_ratio,
    coalesce(lower_ratio, 0.95) as lower_ratio,
    greatest(coalesce(cast(quiet_hours * 4 as integer), {{ budget_window("quiet") }}), 1) as quiet_quarters,
    {{ utc_time("valid_from", "time_zone") }} as valid_from_at,
    {{ utc_time("valid_to", "time_zone") }} as valid_to_at,
    owner,
    channel,
    escalation_channel,
    runbook_url,
    {{ utc_time("muted_from", "time_zone") }} as muted_from_at,
    {{ utc_time("muted_until", "time_zone") }} as muted_until_at
from budgets
