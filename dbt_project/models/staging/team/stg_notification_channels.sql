with source as (select * from {{ team_table("notification_channels") }}) select * from source
