{{ kept_by_date("costed_usage_days") }}
-- What counts against each budget, by quarter-hour. What calls without a price likely
-- cost is counted by their own token kinds, as everywhere.
{%- set dates = dirty_dates() %}
{%- set counts = ["attempts", "unpriced_attempts", "unvalued_attempts"] %}
{%- set amounts = ["cost_usd", "estimated_cost_usd", "exposure_usd"] %}
with
    usage as ({{ quarter_hour_usage(dates) }}),

    unpriced as (
        select
            event_date,
            {{ quarter_hour("occurred_at") }} as quarter_at,
            environment,
            data_mode,
            {{ budget_scope_columns() | join(", ") }},
            count(*) as attempts,
            {{ unpriced_quantities() }}
        from {{ ref("fct_attempts") }}
        where {{ in_dates("event_date", dates) }} and not is_future and pricing_status = 'unpriced'
        group by all
    ),

    exposed as (
        select unpriced.*, {{ exposure_of("unpriced", "exposure") }} as exposure_usd
        from unpriced
        left join {{ ref("int_exposure") }} as exposure using (environment, data_mode, provider, model)
    ),

    counted as (
        select
            event_date,
            quarter_at,
            environment,
            data_mode,
            {{ budget_scope_columns() | join(", ") }},
            attempts,
            unpriced_attempts,
            usage_checksum,
            0 as unvalued_attempts,
            cost_usd,
            estimated_cost_usd,
            cast(0 as decimal(38, 12)) as exposure_usd
        from usage
        union all
        -- calls whose cost cannot even be estimated: exposure_usd leaves them out
        select
            event_date,
            quarter_at,
            environment,
            data_mode,
            {{ budget_scope_columns() | join(", ") }},
            0,
            0,
            0,
            case when exposure_usd is null then attempts else 0 end,
            0,
            0,
            coalesce(exposure_usd, 0)
        from exposed
    ),

    scopes as (
        select distinct budget_id, environments, data_modes, {{ budget_scope_columns() | join(", ") }}
        from {{ ref("int_budgets") }}
    )

select
    counted.event_date,
    scopes.budget_id,
    counted.quarter_at,
    {% for count in counts %} cast(sum(counted.{{ count }}) as bigint) as {{ count }}, {% endfor %}
    cast(sum(counted.usage_checksum) as decimal(38, 0)) as usage_checksum,
    {% for amount in amounts %}
        cast(sum(counted.{{ amount }}) as decimal(38, 12)) as {{ amount }} {{- "," if not loop.last }}
    {% endfor %}
from counted
inner join scopes on {{ in_budget("counted", "scopes") }}
group by counted.event_date, scopes.budget_id, counted.quarter_at
