{{ config(materialized="view") }}
-- What limits the trust in a week's figures, in sentences; that usage is missing comes
-- first, because it qualifies all others.
with
    silences as (
        select
            {{ monday_of("event_date") }} as week_start,
            environment,
            data_mode,
            source,
            min(event_date) as first_date,
            max(event_date) as last_date,
            sum(missing_calls) as missing_calls
        from {{ ref("int_source_silent_days") }}
        group by {{ monday_of("event_date") }}, environment, data_mode, source
    )

select
    week_start,
    environment,
    data_mode,
    0 as place,
    'silence' as kind,
    'warning' as severity,
    cast(null as decimal(38, 12)) as amount_usd,
    'Usage is missing: '
    || source
    || ' was silent '
    || case
        when first_date = last_date
        then 'on ' || cast(first_date as string)
        else 'from ' || cast(first_date as string) || ' to ' || cast(last_date as string)
    end
    || coalesce(
        ', and usually makes ' || cast({{ nearest_integer("missing_calls") }} as string) || ' calls in those hours', ''
    )
    || '.' as sentence,
    cast(null as string) as drill_url
from silences

union all

select
    week_start,
    environment,
    data_mode,
    10 as place,
    'unpriced' as kind,
    'warning' as severity,
    exposure_usd as amount_usd,
    'Calls without a price, in no total: '
    || cast(unpriced_attempts as string)
    || ' ('
    || {{ percent_text("unpriced_share") }}
    || '). '
    || coalesce('They likely cost ' || {{ usd_text("exposure_usd") }}, 'What they cost is unknown')
    || '; see unpriced_models.' as sentence,
    cast(null as string) as drill_url
from {{ ref("int_weekly_usage") }}
where unpriced_attempts > 0

union all

select
    week_start,
    environment,
    data_mode,
    11 as place,
    'estimate' as kind,
    'info' as severity,
    estimated_cost_usd as amount_usd,
    'Estimated token counts are behind ' || {{ percent_text("estimated_share") }} || ' of the spend.' as sentence,
    cast(null as string) as drill_url
from {{ ref("int_weekly_usage") }}
where estimated_share > 0

union all

select
    week_start,
    environment,
    data_mode,
    12 as place,
    'quality' as kind,
    case when missing_usage_attempts > 0 or conflicting_deliveries > 0 then 'warning' else 'info' end as severity,
    cast(null as decimal(38, 12)) as amount_usd,
    concat_ws(
        ' ',
        case
            when duplicate_deliveries > 0
            then 'Repeated deliveries that counted once: ' || cast(duplicate_deliveries as string) || '.'
        end,
        case
            when conflicting_deliveries > 0
            then
                'Of these, different from the one that was kept: '
                || cast(conflicting_deliveries as string)
                || ' (delivery_conflicts).'
        end,
        case
            when missing_usage_attempts > 0
            then
                'Successful calls without token counts, whose cost is unknown: '
                || cast(missing_usage_attempts as string)
                || '.'
        end
    ) as sentence,
    cast(null as string) as drill_url
from {{ ref("int_weekly_usage") }}
where duplicate_deliveries > 0 or missing_usage_attempts > 0
