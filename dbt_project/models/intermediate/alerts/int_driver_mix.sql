{{ kept_by_date("alert_signal_days") }}
-- What today's calls would have cost on the former routes and at the former prices,
-- route by route, each call with the tokens that it has today: all of what a new route
-- costs is unexpected, and what the old ones no longer cost is set off against it.
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set day_scope = "event_date, environment, data_mode" %}
with
    valued as (select * from {{ ref("int_driver_valued") }} where {{ in_dates("event_date", dates) }}),

    routes as (select * from {{ ref("int_driver_routes") }} where {{ in_dates("event_date", dates) }}),

    groups as (
        select
            {{ day_scope }},
            endpoint_tag,
            prompt_version,
            tenant_id,
            sum(attempts) as attempts,
            any_value(usd_per_call) as usd_per_call
        from valued
        group by all
    ),

    models_of_endpoints as (
        select {{ day_scope }}, endpoint_tag, model
        from routes
        union
        select {{ day_scope }}, endpoint_tag, model
        from valued
    ),

    routes_today as (
        select
            {{ day_scope }},
            endpoint_tag,
            model,
            sum(usd_at_former_prices) / nullif(sum(attempts), 0) as usd_per_attempt
        from valued
        group by {{ day_scope }}, endpoint_tag, model
    )

select
    {% for column in day_scope.split(", ") %} groups.{{ column }}, {% endfor %}
    groups.endpoint_tag,
    groups.prompt_version,
    groups.tenant_id,
    models_of_endpoints.model,
    coalesce(today.usd, 0) as actual_usd,
    groups.attempts * coalesce(
        routes.share_of_attempts * coalesce(
            today.usd_at_former_prices / nullif(today.attempts, 0),
            routes_today.usd_per_attempt,
            routes.usd / nullif(routes.attempts, 0)
        ),
        0
    ) as expected_usd,
    groups.usd_per_call as usd_per_unit
from groups
inner join models_of_endpoints using ({{ day_scope }}, endpoint_tag)
left join routes using ({{ day_scope }}, endpoint_tag, model)
left join routes_today using ({{ day_scope }}, endpoint_tag, model)
left join
    (
        select
            {{ day_scope }},
            endpoint_tag,
            prompt_version,
            tenant_id,
            model,
            sum(usd) as usd,
            sum(attempts) as attempts,
            sum(usd_at_former_prices) as usd_at_former_prices
        from valued
        group by all
    ) as today using ({{ day_scope }}, endpoint_tag, prompt_version, tenant_id, model)
