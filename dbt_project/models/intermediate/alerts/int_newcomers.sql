{{ kept_by_date("alert_signal_days") }}
-- Models, tenants and users that were not there before, and what they cost in their
-- first week. A model without a price costs what its calls likely cost.
{%- set dates = dirty_dates() %}
{%- set usual_days = alert_parameter("usual_days") %}
{%- set series_key = "environment, data_mode, scope_dimension, scope_value" %}
with
    series as (
        select
            *,
            scope_dimension = 'model' and unpriced_attempts > 0 as is_unknown_model,
            min(event_date) over {{ last_days(series_key, usual_days, 0) }} as first_seen_date,
            min(case when unpriced_attempts > 0 then event_date end) over {{ last_days(series_key, usual_days, 0) }}
            as first_unpriced_date,
            watched_usd_squares / nullif(cast(watched_usd as double), 0) as usd_per_call
        from {{ ref("int_watched_series") }}
        where
            {{ in_dates("event_date", with_neighbours(dates, usual_days, 0)) }}
            and scope_dimension in ('tenant', 'user', 'model')
    ),

    newcomers as (
        select
            series.*,
            spend.usual_spend_usd,
            case
                when series.is_unknown_model
                then 'unknown_model'
                when series.scope_dimension = 'model'
                then 'new_model'
                else 'new_identity'
            end as alert_type,
            cast(
                case when series.is_unknown_model then series.exposure_usd else series.watched_usd end as double
            ) as observed
        from series
        inner join {{ ref("int_usual_spend") }} as spend using (environment, data_mode, event_date)
        where
            {{ in_dates("event_date", dates) }}
            and series.scope_value <> '(unattributed)'
            -- where everything is new, nothing is
            and spend.total_days >= {{ alert_parameter("fewest_total_days") }}
            -- a call of an unknown model does not make its caller new
            and {{
                dbt.datediff(
                    "case when series.is_unknown_model then series.first_unpriced_date else series.first_seen_date end",
                    "series.event_date",
                    "day",
                )
            }} < {{ alert_parameter("newcomer_days") }}
    )

select
    event_date,
    alert_type,
    {{ series_key }},
    usual_spend_usd,
    observed,
    cast(0 as double) as expected,
    -- against an expectation of nearly nothing
    round(
        sqrt(
            2 * greatest(
                (
                    observed
                    * ln(greatest(observed / ({{ alert_parameter("near_nothing_share") }} * usual_spend_usd), 1))
                    - observed
                )
                / greatest(usd_per_call, observed / {{ alert_parameter("most_assumed_calls") }}),
                0
            )
        ),
        6
    ) as z
from newcomers
where observed > 0 and usual_spend_usd > 0
