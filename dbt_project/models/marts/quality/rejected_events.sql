select
    -- keys
    source,
    landing_file,
    line_number,
    load_id,
    -- dimensions
    arrival_date,
    reason_code,
    message,
    line
from {{ ref("int_rejects") }}
