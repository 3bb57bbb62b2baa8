-- Days of a series that are left out of its past because of a plan: those of a plan
-- that has a name of the series, and none that differs. A plan without names is about
-- the whole environment. Days without calls count too: a migration away is one.
{%- set endpoint = "split_part(series.scope_value, ' | ', 1)" %}
{%- set last_part = "split_part(series.scope_value, ' | ', 2)" %}
{%- set names = {
    "endpoint_tag": "case when series.scope_dimension in ('endpoint', 'endpoint x model', 'endpoint x prompt_version') then "
    ~ endpoint
    ~ " end",
    "prompt_version": "case when series.scope_dimension = 'endpoint x prompt_version' then "
    ~ last_part
    ~ " end",
    "tenant_id": "case when series.scope_dimension = 'tenant' then series.scope_value end",
    "user_id": "case when series.scope_dimension = 'user' then series.scope_value end",
    "model": "case series.scope_dimension when 'model' then series.scope_value when 'endpoint x model' then "
    ~ last_part
    ~ " end",
} %}
with
    plan_days as (select * from {{ ref("int_plan_days") }}),

    watched as (
        select distinct environment, data_mode, scope_dimension, scope_value
        from {{ ref("int_watched_series") }}
        where environment in (select environment from plan_days)
    ),

    series as (
        select
            environment,
            data_mode,
            scope_dimension,
            scope_value,
            {% for column, name in names.items() %} {{ name }} as {{ column }} {{- "," if not loop.last }} {% endfor %}
        from watched as series
    )

select distinct series.environment, series.data_mode, series.scope_dimension, series.scope_value, plan_days.event_date
from series
inner join
    plan_days on series.environment = plan_days.environment and series.data_mode = plan_days.data_mode
    {% for column in names %} and coalesce(series.{{ column }} = plan_days.{{ column }}, true) {% endfor %}
    and (
        coalesce({% for column in names %}plan_days.{{ column }} {{- "," if not loop.last }} {% endfor %}) is null
        {% for column in names %} or series.{{ column }} = plan_days.{{ column }} {% endfor %}
    )
