{{ kept_by_date("costed_usage_days") }}
with
    usage as ({{ quarter_hour_usage(dirty_dates()) }}),

    exposure as (select * from {{ ref("int_exposure") }}),

    scopes as (
        select distinct budget_id, environments, data_modes, {{ budget_scope_columns() | join(", ") }}
        from {{ ref("int_budgets") }}
    )

select
    usage.event_date,
    scopes.budget_id,
    usage.quarter_at,
    cast(sum(usage.attempts) as bigint) as attempts,
    cast(sum(usage.cost_usd) as decimal(38, 12)) as cost_usd,
    cast(sum(usage.estimated_cost_usd) as decimal(38, 12)) as estimated_cost_usd,
    cast(sum(usage.unpriced_attempts) as bigint) as unpriced_attempts,
    -- of these, the calls whose cost cannot even be estimated: exposure_usd leaves them
    -- out
    cast(
        sum(case when exposure.exposure_usd_per_token is null then usage.unpriced_attempts else 0 end) as bigint
    ) as unvalued_attempts,
    cast(
        sum(cast(usage.unpriced_tokens * coalesce(exposure.exposure_usd_per_token, 0) as decimal(38, 12))) as decimal(
            38, 12
        )
    ) as exposure_usd
from usage
inner join scopes on {{ in_budget("usage", "scopes") }}
left join
    exposure
    on usage.environment = exposure.environment
    and usage.data_mode = exposure.data_mode
    and usage.provider = exposure.provider
    and usage.model = exposure.model
group by usage.event_date, scopes.budget_id, usage.quarter_at
