-- What did each feature cost last month, and what does that total leave out? (for finance)
with
    last_month as (
        select date_trunc('month', max(event_date) + 1) - interval 1 day as last_day
        from marts.data_quality_daily
        where is_complete and attempts > 0
    )

select
    strftime(event_date, '%Y-%m') as month,
    feature_tag,
    sum(requests) as requests,
    sum(cost_usd) as cost_usd,
    sum(estimated_cost_usd) as of_which_estimated_usd,
    sum(unpriced_attempts) as unpriced_attempts,
    sum(no_usage_attempts) as no_usage_attempts
from marts.cost_by_feature_daily, last_month
where event_date between date_trunc('month', last_day) and last_day and environment = 'prod' and data_mode = 'real'
group by month, feature_tag
order by sum(cost_usd) desc nulls last
