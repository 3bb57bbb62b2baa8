{{ config(materialized="view") }}
-- Where each budget stands: the last quarter-hour that was judged of each of its
-- periods, in full.
with
    states as (select * from {{ ref("int_budget_states") }} where is_last),

    periods as (select * from {{ ref("int_budget_periods") }}),

    limits as (select * from {{ ref("int_budgets") }}),

    latest as (
        select budget_id, period_start, max(changed_at) as changed_at, max(sequence) as transitions
        from {{ ref("int_budget_transitions") }}
        group by budget_id, period_start
    ),

    drivers as (
        select
            budget_id,
            event_date,
            {% for rank in [1, 2, 3] %}
                max(
                    case
                        when rank = {{ rank }}
                        then
                            dimension
                            || ' '
                            || member
                            || ': '
                            || {{ usd_text("spent_usd") }}
                            || ', usually '
                            || {{ usd_text("usual_usd") }}
                    end
                ) as driver_{{ rank }}
                {{- "," if not loop.last }}
            {% endfor %}
        from {{ ref("int_budget_drivers") }}
        group by budget_id, event_date
    ),

    status as (
        select
            states.*,
            periods.* exclude (budget_id, carry_over),
            limits.* exclude (budget_id, period, time_zone, limit_usd, warning_usd),
            limits.limit_usd as own_limit_usd,
            coalesce(latest.changed_at, periods.starts_at) as state_since,
            coalesce(latest.transitions, 0) as transitions,
            case when silences.data_until < periods.ends_at then silences.data_until end as data_until,
            case when silences.data_until < periods.ends_at then silences.silent_senders end as silent_senders,
            {{ budget_state_of_spend("states.spent_usd + states.exposure_usd", "states") }} as state_with_exposure,
            drivers.driver_1,
            drivers.driver_2,
            drivers.driver_3
        from states
        inner join periods on states.budget_id = periods.budget_id and states.event_date = periods.period_start
        inner join
            limits
            on states.budget_id = limits.budget_id
            and states.quarter_at >= limits.valid_from_at
            and coalesce(states.quarter_at < limits.valid_to_at, true)
        left join latest on states.budget_id = latest.budget_id and states.event_date = latest.period_start
        left join drivers on states.budget_id = drivers.budget_id and states.event_date = drivers.event_date
        left join {{ ref("int_budget_silences") }} as silences on states.budget_id = silences.budget_id
    )

select
    budget_id,
    period,
    period_start,
    period_end,
    time_zone,
    starts_at,
    ends_at,
    ends_at > {{ as_of() }} as is_open,
    environments,
    data_modes,
    {{ budget_scope("status") }} as scope,
    {{ budget_scope_columns() | join(", ") }},
    state,
    state_since,
    {{ local_time("state_since", "time_zone") }} as state_since_local,
    cast(transitions as integer) as transitions,
    spent_usd,
    limit_usd,
    cast(limit_usd - own_limit_usd as decimal(38, 12)) as carried_usd,
    cast(limit_usd - spent_usd as decimal(38, 12)) as remaining_usd,
    warning_usd,
    cast(spent_usd as double) / nullif(limit_usd, 0) as utilisation,
    cast(number as double) / quarters_in_period as elapsed_share,
    cast(projection_usd as decimal(38, 12)) as projection_usd,
    cast(naive_projection_usd as decimal(38, 12)) as naive_projection_usd,
    is_usual_known as is_projection_seasonal,
    case
        when data_until is null
        then least(quarter_at + interval 15 minute, {{ quarter_hour(as_of()) }})
        else greatest(data_until, starts_at)
    end as projection_as_of,
    silent_senders,
    burn_rate,
    burn_to_usual,
    is_burning_fast,
    driver_1,
    driver_2,
    driver_3,
    attempts,
    unpriced_attempts,
    unvalued_attempts,
    case when unvalued_attempts = 0 then exposure_usd end as exposure_usd,
    state <> 'exceeded'
    and (
        silent_senders is not null
        or unvalued_attempts > 0
        or {{ budget_severity("state_with_exposure") }} > {{ budget_severity("state") }}
    ) as is_understated,
    estimated_cost_usd,
    cast(estimated_cost_usd as double) / nullif(spent_usd, 0) as estimated_share,
    owner,
    channel,
    escalation_channel,
    runbook_url,
    -- the focused view of the period, in the grammar of addresses (docs/alerts.md)
    {{ text(setting("TOKENTRAIL_BASE_URL", "http://localhost:8080") | trim("/") ~ "/budget?from=") }}
    || period_start
    || '&to='
    || period_end
    || case
        when environments <> '*' then '&environment=' || {{ url_text("replace(environments, ' ', ',')") }} else ''
    end
    || '&data_mode='
    || {{ url_text("replace(data_modes, ' ', ',')") }}
    {% for scope in budget_scopes() %}
        || coalesce('&{{ scope.name }}=' || {{ url_text(scope.column) }}, '')
    {% endfor %}
    || '&budget='
    || {{ url_text("budget_id") }} as drill_url
from status
