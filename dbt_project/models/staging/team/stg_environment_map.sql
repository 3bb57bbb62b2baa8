with source as (select * from {{ team_table("environment_map") }}) select * from source
