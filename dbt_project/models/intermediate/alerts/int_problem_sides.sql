{{ kept_by_date("alert_signal_days") }}
{%- set problem_key = "event_date, environment, data_mode, round" %}
{%- set measures = ["requests", "attempts", "successes", "tokens", "cost_usd", "exposure_usd"] %}
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
    )

select
    {{ problem_key }},
    any_value(main_endpoints.main_endpoint_tag) as main_endpoint_tag,
    event_date - {{ alert_parameter("usual_days") }} as baseline_from,
    event_date as baseline_to,
    cast(sum(current_unpriced_attempts) as bigint) as unpriced_attempts,
    {% for side in ["baseline", "current"] %}
        cast(
            sum(
                cast({{ side }}_cost_usd as decimal(38, 12)) + cast({{ side }}_exposure_usd as decimal(38, 12))
            ) as decimal(38, 12)
        ) as {{ side }}_usd,
        {% for measure in measures %}
            sum(cast({{ side }}_{{ measure }} as decimal(38, 12))) as {{ side }}_{{ measure }}
            {{- "," if not loop.last }}
        {% endfor %}
        {{- "," if not loop.last }}
    {% endfor %}
from leaves
inner join main_endpoints using ({{ problem_key }})
group by {{ problem_key }}
