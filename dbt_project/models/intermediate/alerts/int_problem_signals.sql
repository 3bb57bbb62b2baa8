{{ kept_by_date("alert_signal_days") }}
-- Which series belong to which problem of a day: those that its driver explains.
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set day_scope = "event_date, environment, data_mode" %}
with
    signals as (select * from {{ ref("int_driver_signals") }} where {{ in_dates("event_date", dates) }}),

    drivers as (select * from {{ ref("int_drivers") }} where {{ in_dates("event_date", dates) }} and rank = 1),

    explained as (select {{ day_scope }}, round, unnest(explained_signals, recursive := true) from drivers),

    -- Two opinions make a problem: a series that stands out, and a driver found among
    -- the leaves. Without a driver the bar is the rule's for a series alone. At most
    -- one a day.
    alone as (
        select
            signals.* exclude (signal_id, leaf_scale, min_z, min_z_alone, needs_no_driver), signals.min_z_alone as min_z
        from signals
        left join explained using ({{ day_scope }}, signal_id)
        where explained.round is null and signals.needs_no_driver
        qualify
            row_number() over (
                partition by {{ day_scope }}
                order by
                    -- no total shows what has no price
                    case when signals.alert_type = 'unknown_model' then 0 else 1 end,
                    signals.z / signals.min_z_alone desc nulls last,
                    signals.alert_type,
                    signals.measure,
                    signals.scope_dimension,
                    signals.scope_value
            )
            = 1
    )

select
    signals.* exclude (signal_id, leaf_scale, min_z, min_z_alone, needs_no_driver),
    signals.min_z,
    explained.round,
    explained.shared_usd
from explained
inner join signals using ({{ day_scope }}, signal_id)
union all
select *, 0 as round, observed - expected as shared_usd
from alone
