-- The input of a day's judgement: the watched series of the day and of its past, and
-- what was planned. Only complete days are judged, and days without events between them
-- are days too.
{%- set names = ["environment", "data_mode", "endpoint_tag", "prompt_version", "tenant_id", "user_id", "model"] %}
with
    planned as (
        select
            event_date,
            md5(
                string_agg(
                    concat_ws(
                        '|',
                        {% for column in names %}
                            coalesce({{ name_part(column) }}, '%') {{- "," if not loop.last }}
                        {% endfor %}
                    ),
                    ','
                    order by {{ names | join(" nulls last, ") }} nulls last
                )
            ) as plans
        from (select distinct event_date, {{ names | join(", ") }} from {{ ref("int_plan_days") }})
        group by event_date
    ),

    judged as (
        select event_date, input_fingerprint
        from {{ ref("costed_usage_days") }}
        where event_date + interval 1 day + interval {{ lateness_hours() }} hours <= {{ as_of() }}
    ),

    inputs as (
        select *
        from judged
        union all
        select event_date, plans
        from planned
    ),

    calendar as (
        select cast(unnest(generate_series(min(event_date), max(event_date), interval 1 day)) as date) as event_date
        from judged
    )

select
    calendar.event_date,
    md5(
        string_agg(
            concat_ws(' ', inputs.event_date, inputs.input_fingerprint),
            ','
            order by inputs.event_date, inputs.input_fingerprint
        )
    ) as input_fingerprint
from calendar
inner join
    inputs
    on inputs.event_date between calendar.event_date - {{ alert_parameter("history_days") }} and calendar.event_date
group by calendar.event_date
