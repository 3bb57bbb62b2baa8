with source as (select * from {{ team_table("alert_rules") }}) select * from source
