select * from {{ ref("int_weekly_summary") }}
