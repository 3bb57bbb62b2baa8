select * from {{ ref("int_budget_status") }}
