-- One row per model that real requests used and that has no price, over all environments; the totals stand beside
-- each row.
with
    unpriced as (
        select
            provider,
            model,
            max(reason) as reason,
            min(first_seen_date) as first_seen_date,
            max(last_seen_date) as last_seen_date,
            cast(sum(requests) as bigint) as requests,
            -- a side that nobody reported adds nothing; with neither side the tokens stay unknown
            cast(
                coalesce(sum(input_tokens) + sum(output_tokens), sum(input_tokens), sum(output_tokens)) as bigint
            ) as tokens,
            sum(exposure_likely_usd) as exposure_likely_usd,
            max(suggestions) as suggestion
        from marts.unpriced_models
        where data_mode = 'real'
        group by provider, model
    ),

    asked as (select sum(requests) as requests from marts.data_quality_daily where data_mode = 'real')

select
    provider,
    model,
    case
        when reason = 'missing_unit_price'
        then 'no price for a unit it used'
        when suggestion is null
        then 'no similar name'
        else 'nearest: ' || suggestion
    end as hint,
    first_seen_date,
    last_seen_date,
    unpriced.requests,
    tokens,
    exposure_likely_usd,
    suggestion,
    sum(unpriced.requests) over () as unpriced_requests,
    sum(tokens) over () as unpriced_tokens,
    min(first_seen_date) over () as unpriced_since,
    cast(sum(unpriced.requests) over () as double) / nullif(cast(asked.requests as double), 0) as share_of_requests
from unpriced
cross join asked
order by unpriced.requests desc, provider, model
