{{ config(materialized="view") }}
-- The members behind an alert, on its first day and on a usual one, with every filter
-- of the alert.
with
    leaves as (
        select alerts.alert_id, leaves.*
        from {{ ref("int_problem_leaves") }} as leaves
        inner join
            {{ ref("int_alerts") }} as alerts
            on {{ same_day_scope("leaves", "alerts") }}
            and leaves.round = alerts.round
    ),

    members as (
        {% for dimension in leaf_dimensions() %}
            {%- set is_version = dimension.name == "prompt_version" %}
            {%- set member = "endpoint_tag || ' | ' || prompt_version" if is_version else dimension.column %}
            select
                alert_id,
                '{{ dimension.name }}' as dimension,
                {{ member }} as member,
                {{ "any_value(endpoint_tag)" if dimension.name in ["endpoint", "prompt_version"] else "null" }}
                as endpoint_tag,
                {{ "any_value(prompt_version)" if is_version else "null" }} as prompt_version,
                cast(null as string) as http_status,
                cast(sum(current_requests) as bigint) as current_requests,
                cast(sum(baseline_requests) as double) as baseline_requests,
                cast(sum(current_attempts - current_successes) as bigint) as current_errors,
                cast(sum(baseline_attempts - baseline_successes) as double) as baseline_errors,
                {% for side in ["current", "baseline"] %}
                    {% for measure in ["cost_usd", "exposure_usd"] %}
                        cast(
                            sum(cast({{ side }}_{{ measure }} as decimal(38, 12))) as decimal(38, 12)
                        ) as {{ side }}_{{ measure }}
                        {{- "," if not loop.last }}
                    {% endfor %}
                    {{- "," if not loop.last }}
                {% endfor %}
            from leaves
            group by alert_id, {{ member }}
            union all
        {% endfor %}
        -- what failed calls failed with: their dollars are part of their members' above
        select
            alert_id,
            'error_code',
            error_code,
            null,
            null,
            string_agg(distinct cast(http_status as string), ', ' order by cast(http_status as string) nulls last),
            cast(null as bigint),
            cast(null as double),
            cast(sum(current_errors) as bigint),
            sum(baseline_errors),
            {% for side in ["current", "baseline"] %}
                {% for measure in ["cost_usd", "exposure_usd"] %}
                    cast(sum({{ side }}_{{ measure }}) as decimal(38, 12)) {{- "," if not loop.last }}
                {% endfor %}
                {{- "," if not loop.last }}
            {% endfor %}
        from {{ ref("int_alert_errors") }}
        group by alert_id, error_code
    ),

    summed as (
        select
            *,
            cast(current_cost_usd + current_exposure_usd as decimal(38, 12)) as current_usd,
            cast(baseline_cost_usd + baseline_exposure_usd as decimal(38, 12)) as baseline_usd
        from members
    ),

    ranked as (
        select
            *,
            cast(current_usd - baseline_usd as decimal(38, 12)) as delta_usd,
            cast(
                row_number() over (
                    partition by alert_id, dimension
                    order by
                        case when dimension = 'error_code' then current_errors - baseline_errors end desc nulls last,
                        current_usd - baseline_usd desc,
                        member nulls last
                ) as integer
            ) as rank
        from summed
    )

select *
from ranked
where rank <= {{ alert_parameter("focus_members") }}
