with
    days as (select * from {{ ref("cost_by_endpoint_daily") }}),

    members as (select endpoint_tag, {{ member_measures() }} from days group by endpoint_tag),

    runbooks as (select * from {{ ref("int_runbooks") }})

select
    members.*,
    runbooks.owner,
    runbooks.runbook_url,
    runbooks.escalation_channel,
    runbooks.runbook_reviewed_at,
    runbooks.last_incident_at,
    coalesce(runbooks.is_runbook_stale, false) as is_runbook_stale
from members
left join runbooks on members.endpoint_tag = runbooks.endpoint_tag
