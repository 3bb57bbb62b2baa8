-- One row per model that real requests used and that has no price now, over all
-- environments; next to each row, the totals, and the share of the recent days'
-- requests: over all time, a price lost today would be hidden by the history.
with
    unpriced as (
        select
            provider,
            model,
            max(reason) as reason,
            max(owner) as owner,
            min(first_seen_date) as first_seen_date,
            max(last_seen_date) as last_seen_date,
            max(age_days) as age_days,
            max(greatest(age_days - sla_days, 0)) as days_over_sla,
            cast(sum(requests) as bigint) as requests,
            -- a side that was not reported adds nothing; with neither side the tokens
            -- stay unknown
            cast(
                coalesce(sum(input_tokens) + sum(output_tokens), sum(input_tokens), sum(output_tokens)) as bigint
            ) as tokens,
            sum(exposure_usd) as exposure_usd,
            max(suggestion_1) as suggestion
        from marts.unpriced_models
        where data_mode = 'real' and status = 'open'
        group by provider, model
    ),

    days as (select * from marts.data_quality_daily where data_mode = 'real' and requests > 0),

    -- a load that lags, or data of last year, is judged by its own last days; a date in
    -- the future is not such a day
    last_day as (select max(event_date) as event_date from days where event_date <= cast($as_of as date)),

    recent as (
        select
            cast(sum(days.requests) as bigint) as requests,
            cast(sum(days.unpriced_requests) as bigint) as unpriced_requests
        from days
        inner join
            last_day
            on days.event_date <= last_day.event_date
            and days.event_date > last_day.event_date - cast($window_days as integer)
    )

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
    owner,
    first_seen_date,
    last_seen_date,
    age_days,
    days_over_sla,
    unpriced.requests,
    tokens,
    exposure_usd,
    suggestion,
    sum(unpriced.requests) over () as all_unpriced_requests,
    sum(tokens) over () as unpriced_tokens,
    min(first_seen_date) over () as unpriced_since,
    coalesce(recent.unpriced_requests, 0) as recent_unpriced_requests,
    coalesce(
        cast(recent.unpriced_requests as double) / nullif(cast(recent.requests as double), 0), 0
    ) as share_of_requests
from unpriced
cross join recent
order by unpriced.requests desc, provider, model
