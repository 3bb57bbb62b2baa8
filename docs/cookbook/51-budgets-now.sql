-- How do the budgets stand, where will each end, and what drives it?
select
    budget_id,
    period,
    period_start,
    state,
    round(spent_usd, 2) as spent_usd,
    round(limit_usd, 2) as limit_usd,
    round(projection_usd, 2) as projection_usd,
    round(elapsed_share, 2) as elapsed_share,
    round(burn_rate, 2) as burn_rate,
    driver_1,
    unpriced_attempts,
    owner
from marts.budget_status
where is_open
order by projection_usd / limit_usd desc nulls last
