-- What did failed calls cost in the last 28 complete days, by error code?
with last_day as (select max(event_date) as day from marts.cost_by_endpoint_daily where is_complete)

select error_code, count(*) as failed_calls, count(cost_usd) as of_which_billed, round(sum(cost_usd), 2) as cost_usd
from marts.fct_attempts, last_day
where status = 'error' and event_date between day - 27 and day and environment = 'prod' and data_mode = 'real'
group by error_code
order by sum(cost_usd) desc nulls last, failed_calls desc
