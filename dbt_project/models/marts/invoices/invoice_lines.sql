select * from {{ ref("int_invoice_lines") }}
