with source as (select * from {{ team_table("containment_map") }}) select * from source
