{{ kept_by_date("alert_signal_days") }}
-- What today's tokens would have cost on the former routes and at the former prices,
-- route by route: all of what a new route costs is unexpected, and what the old ones no
-- longer cost is set off against it.
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set day_scope = "event_date, environment, data_mode" %}
with
    current_leaves as (select * from {{ ref("int_driver_today") }} where {{ in_dates("event_date", dates) }}),

    rates as (select * from {{ ref("int_driver_rates") }} where {{ in_dates("event_date", dates) }}),

    routes as (select * from {{ ref("int_driver_routes") }} where {{ in_dates("event_date", dates) }}),

    groups as (
        select {{ day_scope }}, endpoint_tag, prompt_version, tenant_id, sum(tokens) as tokens
        from current_leaves
        group by all
    ),

    models_of_endpoints as (
        select {{ day_scope }}, endpoint_tag, model
        from routes
        union
        select {{ day_scope }}, endpoint_tag, model
        from current_leaves
    )

select
    {% for column in day_scope.split(", ") %} groups.{{ column }}, {% endfor %}
    groups.endpoint_tag,
    groups.prompt_version,
    groups.tenant_id,
    models_of_endpoints.model,
    coalesce(today.usd, 0) as actual_usd,
    groups.tokens * coalesce(routes.share_of_tokens * routes.usd_per_token, 0) as expected_usd,
    rates.usd_per_call as usd_per_unit
from groups
inner join models_of_endpoints using ({{ day_scope }}, endpoint_tag)
inner join rates using ({{ day_scope }}, endpoint_tag)
left join routes using ({{ day_scope }}, endpoint_tag, model)
left join
    (
        select {{ day_scope }}, endpoint_tag, prompt_version, tenant_id, model, sum(usd) as usd
        from current_leaves
        group by all
    ) as today using ({{ day_scope }}, endpoint_tag, prompt_version, tenant_id, model)
