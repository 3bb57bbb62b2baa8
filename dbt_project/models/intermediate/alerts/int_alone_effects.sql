{{ kept_by_date("alert_signal_days") }}
-- What rose in a series for which no driver was found, by the same pairs of dollars as
-- drivers: its spike type.
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set day_scope = "event_date, environment, data_mode" %}
{%- set effects = ["volume", "retry", "input", "cache", "output", "price_mix"] %}
with
    alone as (select * from {{ ref("int_problem_signals") }} where round = 0 and {{ in_dates("event_date", dates) }}),

    leaves as (select * from {{ ref("int_driver_leaves") }} where {{ in_dates("event_date", dates) }}),

    deltas as (
        select
            alone.event_date,
            alone.environment,
            alone.data_mode,
            alone.measure,
            {% for effect in effects %}
                coalesce(
                    sum(case when leaves.effect = '{{ effect }}' then leaves.actual_usd - leaves.expected_usd end), 0
                ) as {{ effect }}_usd,
            {% endfor %}
            coalesce(sum(leaves.lost_cache_reads), 0) as lost_cache_reads
        from alone
        inner join leaves on {{ in_series("leaves", "alone") }}
        group by all
    ),

    compared as (
        select
            *,
            input_usd + cache_usd + output_usd as token_usd,
            -- how many requests there are says nothing about what one costs
            case when measure = 'cost' then volume_usd end as counted_volume_usd
        from deltas
    )

select
    {{ day_scope }},
    case
        greatest(counted_volume_usd, retry_usd, token_usd, price_mix_usd)
        when counted_volume_usd
        then 'volume'
        when retry_usd
        then 'retry'
        when price_mix_usd
        then 'price_mix'
        else
            case
                when lost_cache_reads > 0 and cache_usd >= {{ alert_parameter("cache_share") }} * token_usd
                then 'cache'
                else 'token'
            end
    end as effect,
    case when round(output_usd - input_usd - cache_usd, 9) > 0 then 'output' else 'input' end as token_direction
from compared
