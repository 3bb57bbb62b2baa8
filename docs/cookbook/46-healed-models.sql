-- Which models without a price have one now, after how many days, by whose entry, and what did it add?
select
    provider,
    model,
    environment,
    status,
    first_seen_date,
    healed_at,
    age_days,
    is_over_sla,
    healed_attempts,
    healed_cost_usd,
    healed_by
from marts.unpriced_models
where healed_at is not null and data_mode = 'real'
order by healed_at desc, healed_cost_usd desc
