-- Which models have no price, since when, who owns them, what did they likely cost, and which known model is nearest?
select
    provider,
    model,
    reason,
    age_days,
    is_over_sla,
    owner,
    requests,
    round(exposure_usd_low, 2) as low_usd,
    round(exposure_usd, 2) as likely_usd,
    round(exposure_usd_high, 2) as high_usd,
    exposure_basis,
    suggestion_1
from marts.unpriced_models
where status = 'open' and environment = 'prod' and data_mode = 'real'
order by exposure_usd_high desc
