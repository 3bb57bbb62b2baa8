select source, environment, data_mode, silent_since, returned_at, status, pause_hours, missing_calls
from {{ ref("int_source_silences") }}
