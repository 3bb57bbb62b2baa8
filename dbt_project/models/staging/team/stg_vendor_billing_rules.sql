with source as (select * from {{ team_table("vendor_billing_rules") }}) select * from source
