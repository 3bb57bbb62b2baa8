select * from {{ ref("int_incident_records") }}
