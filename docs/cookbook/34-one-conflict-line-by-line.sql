-- Two deliveries of one call disagreed: which lines of which files, and which one was kept?
select
    conflicts.request_id,
    conflicts.conflict,
    conflicts.landing_file || ' line ' || conflicts.line_number as not_counted,
    conflicts.kept_landing_file || ' line ' || conflicts.kept_line_number as kept,
    attempts.usage_source as kept_usage_source,
    attempts.cost_usd
from marts.delivery_conflicts as conflicts
left join
    marts.fct_attempts as attempts
    on conflicts.source = attempts.source
    and conflicts.environment = attempts.environment
    and conflicts.data_mode = attempts.data_mode
    and conflicts.attempt_key = attempts.attempt_key
order by conflicts.event_date desc, conflicts.landing_file, conflicts.line_number
limit 3
