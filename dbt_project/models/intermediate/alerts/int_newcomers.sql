{{ kept_by_date("alert_signal_days") }}
-- Models, tenants and users that were not there before, and what they cost in their
-- first week. A model without a price costs what its calls likely cost; it is new again
-- when it comes back after quiet days, and where it takes over an endpoint: that it is
-- known does not solve it.
{%- set dates = dirty_dates() %}
{%- set usual_days = alert_parameter("usual_days") %}
{%- set series_key = "environment, data_mode, scope_dimension, scope_value" %}
with
    watched as (
        select *
        from {{ ref("int_watched_series") }}
        where {{ in_dates("event_date", with_neighbours(dates, usual_days, 0)) }}
    ),

    -- quiet are days on which the environment made calls: after a closure everything
    -- comes back
    days as (
        select
            environment,
            data_mode,
            event_date,
            row_number() over (partition by environment, data_mode order by event_date) as day_number
        from watched
        where scope_dimension = 'total'
    ),

    marked as (
        select
            watched.*,
            days.day_number,
            scope_dimension in ('model', 'endpoint x model') and unpriced_attempts > 0 as is_unknown_model,
            max(case when unpriced_attempts > 0 then days.day_number end) over {{ last_days(series_key, usual_days) }}
            as previous_unpriced_day
        from watched
        inner join days using (environment, data_mode, event_date)
        where scope_dimension in ('tenant', 'user', 'model', 'endpoint x model')
    ),

    series as (
        select
            *,
            min(event_date) over {{ last_days(series_key, usual_days, 0) }} as first_seen_date,
            max(
                case
                    when
                        unpriced_attempts > 0
                        and coalesce(day_number - previous_unpriced_day > {{ alert_parameter("quiet_days") }}, true)
                    then event_date
                end
            ) over {{ last_days(series_key, usual_days, 0) }} as came_back_date,
            watched_usd_squares / nullif(cast(watched_usd as double), 0) as usd_per_call
        from marked
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
            -- a new route of a priced model is not a newcomer
            and (series.scope_dimension <> 'endpoint x model' or series.is_unknown_model)
            -- where everything is new, nothing is
            and spend.total_days >= {{ alert_parameter("fewest_total_days") }}
            -- a call of an unknown model does not make its caller new
            and {{
                dbt.datediff(
                    "case when series.is_unknown_model then series.came_back_date else series.first_seen_date end",
                    "series.event_date",
                    "day",
                )
            }} < {{ alert_parameter("newcomer_days") }}
    ),

    -- where the model itself is new, its routes say nothing more
    new_models as (
        select environment, data_mode, event_date, scope_value as model
        from newcomers
        where scope_dimension = 'model' and is_unknown_model
    )

select
    newcomers.event_date,
    newcomers.alert_type,
    {% for column in series_key.split(", ") %} newcomers.{{ column }}, {% endfor %}
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
left join
    new_models
    on newcomers.environment = new_models.environment
    and newcomers.data_mode = new_models.data_mode
    and newcomers.event_date = new_models.event_date
    and newcomers.scope_dimension = 'endpoint x model'
    and split_part(newcomers.scope_value, ' | ', 2) = new_models.model
where observed > 0 and usual_spend_usd > 0 and new_models.model is null
