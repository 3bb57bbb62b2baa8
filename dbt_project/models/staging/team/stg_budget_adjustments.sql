with source as (select * from {{ team_table("budget_adjustments") }}) select * from source
