with
    days as (select * from {{ ref("cost_by_model_daily") }}),

    members as (select provider, model, {{ member_measures() }} from days group by provider, model)

select *
from members
