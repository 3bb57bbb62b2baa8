with source as (select * from {{ team_table("vendor_accounts") }}) select * from source
