-- Which models have no price, since when, who calls them, and what may they have cost?
select
    provider,
    model,
    reason,
    first_seen_date,
    requests,
    round(exposure_low_usd, 2) as low_usd,
    round(exposure_likely_usd, 2) as likely_usd,
    round(exposure_high_usd, 2) as high_usd,
    exposure_basis,
    main_endpoint_tag,
    owner,
    suggestions
from unpriced_models
where environment = 'prod' and data_mode = 'real'
order by exposure_high_usd desc
