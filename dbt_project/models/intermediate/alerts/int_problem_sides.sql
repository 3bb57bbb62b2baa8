{{ kept_by_date("alert_signal_days") }}
{%- set problem_key = "event_date, environment, data_mode, round" %}
with
    leaves as (select * from {{ ref("int_problem_leaves") }} where {{ in_dates("event_date", dirty_dates()) }}),

    main_endpoints as (
        select {{ problem_key }}, endpoint_tag as main_endpoint_tag
        from leaves
        group by {{ problem_key }}, endpoint_tag
        qualify
            row_number() over (
                partition by {{ problem_key }}
                order by
                    sum(current_cost_usd + current_exposure_usd - baseline_cost_usd - baseline_exposure_usd) desc,
                    endpoint_tag nulls last
            )
            = 1
    ),

    -- the dollars that the effects explain
    exposures as (
        select
            {{ problem_key }},
            {% for side in ["baseline", "current"] %}
                cast(sum({{ side }}_exposure_usd) as decimal(38, 12)) as {{ side }}_exposure_usd
                {{- "," if not loop.last }}
            {% endfor %}
        from {{ ref("int_problem_cells") }}
        where {{ in_dates("event_date", dirty_dates()) }}
        group by {{ problem_key }}
    ),

    costs as (
        select
            {{ problem_key }},
            {% for side in ["baseline", "current"] %}
                cast(sum({{ side }}_usd) as decimal(38, 12)) as {{ side }}_cost_usd {{- "," if not loop.last }}
            {% endfor %}
        from {{ ref("int_problem_kinds") }}
        where {{ in_dates("event_date", dirty_dates()) }}
        group by {{ problem_key }}
    ),

    counts as (
        select
            {{ problem_key }},
            cast(sum(current_unpriced_attempts) as bigint) as unpriced_attempts,
            {% for side in ["baseline", "current"] %}
                {% for measure in ["requests", "attempts", "successes", "tokens"] %}
                    sum(cast({{ side }}_{{ measure }} as decimal(38, 12))) as {{ side }}_{{ measure }}
                    {{- "," if not loop.last }}
                {% endfor %}
                {{- "," if not loop.last }}
            {% endfor %}
        from leaves
        group by {{ problem_key }}
    )

select
    counts.*,
    main_endpoints.main_endpoint_tag,
    counts.event_date - {{ alert_parameter("usual_days") }} as baseline_from,
    counts.event_date as baseline_to,
    {% for side in ["baseline", "current"] %}
        coalesce(costs.{{ side }}_cost_usd, 0) + exposures.{{ side }}_exposure_usd as {{ side }}_usd,
        exposures.{{ side }}_exposure_usd {{- "," if not loop.last }}
    {% endfor %}
from counts
inner join main_endpoints using ({{ problem_key }})
inner join exposures using ({{ problem_key }})
left join costs using ({{ problem_key }})
