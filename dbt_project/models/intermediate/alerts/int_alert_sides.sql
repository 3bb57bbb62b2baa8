{{ config(materialized="view") }}
-- Both sides of an alert's comparison, with the sizes of input and output.
{%- set cache_reads = priced_kinds() | selectattr("is_cache_read") | map(attribute="name") | list %}
{%- set fees = priced_kinds() | selectattr("is_fee") | map(attribute="name") | list %}
with
    alerts as (select alert_id, event_date, environment, data_mode, round from {{ ref("int_alerts") }}),

    kinds as (
        select alerts.alert_id, kinds.*
        from {{ ref("int_problem_kinds") }} as kinds
        inner join alerts on {{ same_day_scope("kinds", "alerts") }} and kinds.round = alerts.round
    ),

    sizes as (
        select
            alert_id,
            {% for side in ["baseline", "current"] %}
                sum(case when side = 'input' then {{ side }}_units end) as {{ side }}_input_units,
                sum(
                    case
                        when side = 'output' and token_kind not in ('{{ fees | join("', '") }}') then {{ side }}_units
                    end
                ) as {{ side }}_output_units,
                sum(
                    case when token_kind in ('{{ cache_reads | join("', '") }}') then {{ side }}_units else 0 end
                ) as {{ side }}_cache_read_units
                {{- "," if not loop.last }}
            {% endfor %}
        from kinds
        group by alert_id
    ),

    sides as (
        select alerts.alert_id, sides.*, sizes.* exclude (alert_id)
        from {{ ref("int_problem_sides") }} as sides
        inner join alerts on {{ same_day_scope("sides", "alerts") }} and sides.round = alerts.round
        left join sizes on alerts.alert_id = sizes.alert_id
    )

select *
from sides
