{#- Of `judgements` those that stand out under the current rules. Of the rules that fit, the most specific one that gives a value is
    followed, value by value. What a day that is not over shows (`is_open`) has to be clearer and larger. -#}
{% macro judged_by_rules(judgements) %}
    {%- set values = [
        "is_on",
        "min_z",
        "min_z_alone",
        "min_share_of_spend",
        "min_usd",
        "min_ratio",
        "critical_share_of_spend",
    ] %}
    {%- set key = "alert_type, measure, environment, data_mode, scope_dimension, scope_value, event_date" %}
    with
        rules as (
            select
                *,
                case when scope_value = '*' then 0 else 4 end
                + case when environment = '*' then 0 else 2 end
                + case when data_mode = '*' then 0 else 1 end as specificity
            from {{ ref("stg_alert_rules") }}
        ),

        ruled as (
            select
                {% for column in key.split(", ") %} judgements.{{ column }}, {% endfor %}
                {% for value in values %}
                    max_by(
                        rules.{{ value }}, case when rules.{{ value }} is not null then rules.specificity end
                    ) as {{ value }},
                {% endfor %}
                bool_or(
                    coalesce(judgements.event_date >= rules.muted_from, rules.muted_until is not null)
                    and coalesce(judgements.event_date < rules.muted_until, true)
                ) as is_muted
            from (select distinct {{ key }} from {{ judgements }}) as judgements
            inner join
                rules
                on judgements.alert_type = rules.alert_type
                and judgements.scope_dimension = rules.scope_dimension
                and rules.environment in ('*', judgements.environment)
                and rules.data_mode in ('*', judgements.data_mode)
                and rules.scope_value in ('*', judgements.scope_value)
            group by all
        ),

        -- what matters in a small environment is measured by the whole bill as well
        bills as (
            select
                data_mode,
                event_date,
                median(usd) over {{ last_days("data_mode", alert_parameter("usual_days")) }} as usual_bill_usd
            from
                (
                    select data_mode, event_date, sum(cast(watched_usd as double)) as usd
                    from {{ ref("int_watched_series") }}
                    where scope_dimension = 'total'
                    group by data_mode, event_date
                )
        )

    select
        judgements.*,
        ruled.min_z,
        -- raising min_z of a scope raises both
        greatest(ruled.min_z, ruled.min_z_alone) as min_z_alone,
        -- without a driver only the plain measures count
        judgements.z >= greatest(ruled.min_z, ruled.min_z_alone)
        and judgements.measure not in ('requests', 'typical cost per request') as needs_no_driver,
        ruled.min_usd,
        ruled.critical_share_of_spend,
        ruled.is_muted
    from {{ judgements }} as judgements
    inner join ruled using ({{ key }})
    left join bills using (data_mode, event_date)
    where
        ruled.is_on
        and abs(judgements.z) >= case
            when judgements.is_open
            then
                greatest(
                    {{ alert_parameter("open_z_factor") }} * greatest(ruled.min_z, ruled.min_z_alone),
                    {{ alert_parameter("smallest_open_z") }}
                )
            else ruled.min_z
        end
        and abs(judgements.observed - judgements.expected) >= greatest(
            ruled.min_usd,
            -- a young series has no weekdays of its own yet
            ruled.min_share_of_spend * greatest(
                judgements.usual_spend_usd,
                {{ alert_parameter("share_of_the_whole_bill") }} * coalesce(bills.usual_bill_usd, 0)
            )
            * case
                when judgements.is_seasonal or judgements.alert_type <> 'cost_drift'
                then 1
                else {{ alert_parameter("young_share_factor") }}
            end
        )
        and greatest(judgements.observed, judgements.expected)
        >= ruled.min_ratio * greatest(least(judgements.observed, judgements.expected), 0)
{% endmacro %}
