-- What did each week cost, and why more or less than the week before?
select
    iso_week,
    round(spend_usd, 2) as spend_usd,
    round(change_usd, 2) as change_usd,
    round(volume_usd, 2) as volume_usd,
    round(mix_usd, 2) as mix_usd,
    round(retry_usd, 2) as retry_usd,
    round(token_usd, 2) as token_usd,
    round(price_usd, 2) as price_usd,
    alerts,
    recurring_problems + regressed_problems as came_back,
    round(unpriced_share, 4) as unpriced_share
from marts.weekly_summary
where environment = 'prod' and data_mode = 'real' and is_complete
order by iso_week desc
limit 6
