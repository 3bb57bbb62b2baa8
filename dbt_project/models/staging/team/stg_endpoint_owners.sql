with source as (select * from {{ team_table("endpoint_owners") }}) select * from source
