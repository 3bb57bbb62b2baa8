with
    days as (select * from {{ ref("cost_by_prompt_version_daily") }}),

    members as (
        select endpoint_tag, prompt_version, {{ member_measures() }} from days group by endpoint_tag, prompt_version
    )

select *
from members
