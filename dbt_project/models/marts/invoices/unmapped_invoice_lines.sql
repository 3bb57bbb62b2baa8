select * from {{ ref("int_unmapped_invoice_lines") }}
