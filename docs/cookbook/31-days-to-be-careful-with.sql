-- Which of the last 7 days are not complete or understated, and why?
select
    event_date,
    bool_and(is_complete) as is_complete,
    sum(unpriced_attempts) as unpriced,
    round(cast(sum(unpriced_attempts) as double) / sum(priced_attempts + unpriced_attempts), 4) as unpriced_share,
    sum(missing_usage_attempts) as successes_without_usage,
    sum(estimated_attempts) as estimated,
    sum(rejected_rows) as rejected_on_arrival
from marts.data_quality_daily
where
    event_date > (select max(event_date) from marts.data_quality_daily where attempts > 0) - 7
    and (data_mode = 'real' or rejected_rows > 0)
group by event_date
having bool_or(is_understated) or not bool_and(is_complete)
order by event_date desc
