select * from {{ ref("int_unseen_names") }}
