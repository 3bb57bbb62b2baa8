{{ config(meta={"dagster": {"ref": {"name": "fct_attempts"}}}) }}
-- Fails if one landed line is two attempts, or one identity is two attempts of a date:
-- then something is charged twice.
select landing_content_hash, landing_line_number, landing_item, count(*) as attempts
from {{ to_verify("fct_attempts") }} as fact
group by landing_content_hash, landing_line_number, landing_item
having count(*) > 1
