with source as (select * from {{ team_table("names") }}) select * from source
