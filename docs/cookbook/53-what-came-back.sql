-- What came back in the last four complete weeks, what did it cost, and what should happen next?
select
    iso_week,
    status,
    problem,
    days,
    round(cost_impact_usd, 2) as cost_impact_usd,
    weeks_since_last_seen,
    owner,
    incident_id,
    next_action
from marts.weekly_recurrence
where
    data_mode = 'real'
    and is_complete
    and status in ('recurring', 'regressed')
    and week_start > (select max(week_start) from marts.weekly_recurrence where is_complete) - 28
order by week_start desc, cost_impact_usd desc
