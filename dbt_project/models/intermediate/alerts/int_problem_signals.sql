{{ kept_by_signal_day() }}
-- Which series belong to which problem of a day: those that its driver explains.
{%- set dates = dates_with_signals(dirty_dates(ref("alert_signal_days"))) %}
{%- set scope = "event_date, environment, data_mode" %}
with
    signals as (
        select * from {{ ref("int_alert_signals") }} where {{ in_dates("event_date", dates) }} and observed > expected
    ),

    drivers as (select * from {{ ref("int_drivers") }} where {{ in_dates("event_date", dates) }}),

    explained as (select {{ scope }}, round, unnest(explained_signals, recursive := true) from drivers where rank = 1),

    -- two opinions make a problem: a series that stands out, and a driver found among the leaves. Only what no past can
    -- explain, or what is far out, is a problem without a driver: one a day, named by itself.
    unexplained as (
        select signals.*
        from signals
        left join explained using ({{ scope }}, alert_type, measure, scope_dimension, scope_value)
        where
            explained.round is null
            and (
                signals.alert_type in ('unknown_model', 'new_model', 'burst_falling_success')
                or (
                    signals.measure in ('cost', 'calls per request')
                    and signals.scope_dimension not in ('model', 'endpoint x model')
                    and signals.z >= 8
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
