select * from {{ ref("int_provider_usage_lines") }}
