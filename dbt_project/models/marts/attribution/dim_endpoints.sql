with
    days as (select * from {{ ref("cost_by_endpoint_daily") }}),

    members as (select endpoint_tag, {{ member_measures() }} from days group by endpoint_tag),

    owners as (select * from {{ ref("endpoint_owners") }})

select members.*, owners.owner, owners.runbook_url, owners.escalation_channel
from members
left join owners on members.endpoint_tag = owners.endpoint_tag
