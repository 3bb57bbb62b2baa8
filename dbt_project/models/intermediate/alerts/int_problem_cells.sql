{{ kept_by_date("alert_signal_days") }}
-- The two sides of every comparison by what has prices of its own: a model at an
-- endpoint, by provider and price variant. The baseline is the average of its days.
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set problem_key = "event_date, environment, data_mode, round" %}
with
    compared as (select * from {{ ref("int_problem_days") }} where {{ in_dates("event_date", dates) }}),

    usage as (
        select *
        from {{ ref("int_judged_usage") }}
        where {{ in_dates("event_date", with_neighbours(dates, alert_parameter("usual_days"), 0)) }}
    )

select
    {% for column in problem_key.split(", ") %} compared.{{ column }}, {% endfor %}
    usage.endpoint_tag,
    usage.model,
    usage.provider || ' ' || usage.price_variant as price_variant,
    {{ sides_of_cells("usage", "compared.is_current", "compared.baseline_days") }}
from compared
inner join
    usage
    on compared.environment = usage.environment
    and compared.data_mode = usage.data_mode
    and compared.compared_date = usage.event_date
where {{ in_scope("usage", "compared") }}
group by all
