select
    -- keys
    source,
    landing_file,
    line_number,
    item,
    load_id,
    -- dimensions
    arrival_date,
    reason_code,
    message,
    line
from {{ ref("int_rejects") }}
