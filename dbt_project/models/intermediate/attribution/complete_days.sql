-- The input of the daily marts: the attempts of the date, and whether all of them are
-- expected to be there, which changes with time alone.
select
    event_date,
    md5(
        input_fingerprint || case when {{ is_complete_day("event_date") }} then ' complete' else '' end
    ) as input_fingerprint
from {{ ref("attempt_days") }}
