-- The plan or mute of an alert: one of its problem, or one whose names are all among
-- those that the alert carries (its driver's, its series', its main endpoint), on the
-- alert's latest day. A problem that outlasts its plan is news again.
{%- set names = {
    "endpoint_tag": "coalesce(alerts.driver_endpoint_tag, alerts.main_endpoint_tag)",
    "prompt_version": "alerts.prompt_version",
    "tenant_id": "coalesce(alerts.tenant_id, case when alerts.scope_dimension = 'tenant' then alerts.scope_value end)",
    "user_id": "coalesce(alerts.user_id, case when alerts.scope_dimension = 'user' then alerts.scope_value end)",
    "model": "coalesce(alerts.model, case when alerts.scope_dimension = 'model' then alerts.scope_value end)",
} %}
select alerts.alert_id, plans.plan_id, plans.kind
from {{ ref("int_alerts") }} as alerts
inner join
    {{ ref("int_plans") }} as plans
    on alerts.last_date >= plans.from_date
    and alerts.last_date < plans.until_date
    and (
        alerts.problem_id = plans.problem_id
        or (
            plans.problem_id is null and alerts.environment = plans.environment and alerts.data_mode = plans.data_mode
            {% for column, name in names.items() %}
                and (plans.{{ column }} is null or coalesce(plans.{{ column }} = {{ name }}, false))
            {% endfor %}
        )
    )
-- a plan says more about an alert than a mute does
qualify
    row_number() over (
        partition by alerts.alert_id
        order by case when plans.kind = 'planned' then 0 else 1 end, plans.recorded_at desc, plans.plan_id nulls last
    )
    = 1
