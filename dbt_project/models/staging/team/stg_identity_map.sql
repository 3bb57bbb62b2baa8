with source as (select * from {{ team_table("identity_map") }}) select * from source
