with source as (select * from {{ team_table("invoice_label_maps") }}) select * from source
