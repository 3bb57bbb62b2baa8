with source as (select * from {{ team_table("source_precedence") }}) select * from source
