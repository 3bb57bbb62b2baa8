-- Which lines were rejected, why, and which sender's files are they in?
select
    reason_code,
    count(*) as lines,
    count(distinct landing_file) as files,
    min(arrival_date) as first_arrival,
    max(arrival_date) as last_arrival,
    arg_max(landing_file || ' line ' || line_number, arrival_date) as newest
from marts.rejected_events
group by reason_code
order by lines desc, reason_code
