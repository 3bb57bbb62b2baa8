with
    days as (select * from {{ ref("cost_by_tenant_daily") }}),

    members as (select tenant_id, {{ member_measures() }} from days group by tenant_id)

select *
from members
