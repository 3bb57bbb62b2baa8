{{ kept_by_date("alert_signal_days") }}
-- Which series belong to which problem of a day: those that its driver explains.
{%- set dates = dates_with_signals(dirty_dates(ref("alert_signal_days"))) %}
{%- set scope = "event_date, environment, data_mode" %}
with
    signals as (
        select * from {{ ref("int_alert_signals") }} where {{ in_dates("event_date", dates) }} and observed > expected
    ),

    drivers as (select * from {{ ref("int_drivers") }} where {{ in_dates("event_date", dates) }}),

    explained as (select {{ scope }}, round, unnest(explained_signals, recursive := true) from drivers where rank = 1),

    -- Two opinions make a problem: a series that stands out, and a driver found among the leaves. Without a driver
    -- the bar is higher: endpoints are few and steady, tenants and users are many; what is new, or fails, needs no
    -- second opinion. At most one a day, named by its own series.
    alone as (
        select
            signals.* replace (
                case
                    when signals.alert_type not in ('cost_drift', 'cost_per_request_drift')
                    then signals.min_z
                    when signals.scope_dimension = 'endpoint'
                    then greatest(signals.min_z, 3.5)
                    else greatest(signals.min_z, 8)
                end as min_z
            )
        from signals
        left join explained using ({{ scope }}, alert_type, measure, scope_dimension, scope_value)
        where explained.round is null
    ),

    unexplained as (
        select *
        from alone
        where
            z >= min_z
            and alert_type <> 'new_identity'
            and (
                alert_type not in ('cost_drift', 'cost_per_request_drift')
                or (
                    measure in ('cost', 'calls per request', 'typical cost per request')
                    and scope_dimension not in ('model', 'endpoint x model')
                )
            )
        qualify
            row_number() over (
                partition by {{ scope }} order by z desc, alert_type, measure, scope_dimension, scope_value
            )
            = 1
    )

select signals.*, explained.round, explained.shared_usd
from explained
inner join signals using ({{ scope }}, alert_type, measure, scope_dimension, scope_value)
union all
select *, 0, observed - expected
from unexplained
