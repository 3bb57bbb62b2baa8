-- How often were calls delivered more than once, and how often did two deliveries of one call disagree?
select
    strftime(event_date, '%Y-%m') as month,
    source,
    sum(attempts) as attempts,
    sum(duplicate_deliveries) as duplicate_deliveries,
    sum(conflicting_deliveries) as conflicting_deliveries,
    round(cast(sum(duplicate_deliveries) as double) / sum(attempts), 4) as duplicates_per_attempt
from marts.data_quality_daily
where attempts > 0
group by month, source
order by month, source
