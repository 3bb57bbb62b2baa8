with source as (select * from {{ team_table("fx_rates") }}) select * from source
