with source as (select * from {{ team_table("budgets") }}) select * from source
