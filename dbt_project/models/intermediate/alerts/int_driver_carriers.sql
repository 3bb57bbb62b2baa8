{{ kept_by_date("alert_signal_days") }}
-- The members that carry the dollars of a driver, which decide its spike type.
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set problem_key = "event_date, environment, data_mode, round" %}
with
    tops as (
        select * exclude (explained_signals)
        from {{ ref("int_drivers") }}
        where rank = 1 and {{ in_dates("event_date", dates) }}
    ),

    leaves as (select * from {{ ref("int_driver_leaves") }} where {{ in_dates("event_date", dates) }}),

    carried as (
        select
            {% for column in problem_key.split(", ") %} tops.{{ column }}, {% endfor %}
            sum(case when leaves.effect = 'cost' then leaves.exposure_usd end) as exposure_usd,
            sum(
                case
                    when leaves.effect = tops.effect and leaves.prompt_version <> '(settled)'
                    then leaves.actual_usd - leaves.expected_usd
                end
            ) / nullif(
                sum(case when leaves.effect = tops.effect then leaves.actual_usd - leaves.expected_usd end), 0
            ) as new_version_share,
            max(case when leaves.prompt_version <> '(settled)' then leaves.prompt_version end) as new_version,
            {% for part in ["input", "cache", "output"] %}
                sum(
                    case when leaves.effect = '{{ part }}' then leaves.actual_usd - leaves.expected_usd end
                ) as {{ part }}_delta_usd,
            {% endfor %}
            sum(leaves.lost_cache_reads) as lost_cache_reads
        from tops
        inner join
            leaves
            on leaves.effect in ('cost', 'input', 'cache', 'output', tops.effect)
            and {{ in_segment("leaves", "tops") }}
        group by all
    ),

    {% for who in ["tenant_id", "user_id"] %}
        by_{{ who }} as (
            select
                {% for column in problem_key.split(", ") %} tops.{{ column }}, {% endfor %}
                leaves.{{ who }},
                sum(leaves.actual_usd - leaves.expected_usd) as delta_usd,
                sum(leaves.expected_usd) as expected_usd
            from tops
            inner join
                leaves
                on leaves.effect = 'volume'
                and {{ in_segment("leaves", "tops", ["endpoint", "tenant", "user"]) }}
            group by all
        ),

        leading_{{ who }} as (
            select
                {{ problem_key }},
                {{ who }} as leading_{{ who }},
                delta_usd / nullif(sum(delta_usd) over (partition by {{ problem_key }}), 0) as leading_{{ who }}_share,
                expected_usd
                / nullif(sum(expected_usd) over (partition by {{ problem_key }}), 0) as leading_{{ who }}_share_before
            from by_{{ who }}
            qualify
                row_number() over (
                    partition by {{ problem_key }} order by delta_usd desc nulls last, {{ who }} nulls last
                )
                = 1
        )
        {{- "," if not loop.last }}
    {% endfor %}

select *
from carried
left join leading_tenant_id using ({{ problem_key }})
left join leading_user_id using ({{ problem_key }})
