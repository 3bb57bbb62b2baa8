select * from {{ ref("int_unpriced_models") }}
