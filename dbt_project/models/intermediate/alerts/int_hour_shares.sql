{{ kept_by_date("alert_open_days") }}
-- Which part of a day's dollars an endpoint, and the environment, usually has by the
-- end of each hour, and how far off that usually is.
{%- set dates = dirty_dates() %}
{%- set usual_days = alert_parameter("usual_days") %}
{%- set scope = "environment, data_mode, scope_dimension, scope_value" %}
with
    hours as (
        select
            hours.event_date,
            hours.environment,
            hours.data_mode,
            scope.scope_dimension,
            case scope.scope_dimension when 'total' then 'all' else hours.endpoint_tag end as scope_value,
            hours.hour_of_day,
            sum(cast(hours.cost_usd as double)) as usd
        from {{ ref("int_endpoint_hours") }} as hours
        cross join (select unnest(['total', 'endpoint']) as scope_dimension) as scope
        where {{ in_dates("hours.event_date", with_neighbours(dates, usual_days, -1)) }}
        group by all
    ),

    days as (
        select {{ scope }}, event_date, sum(usd) as usd
        from hours
        left join {{ ref("int_masked_days") }} as masked using ({{ scope }}, event_date)
        where masked.event_date is null
        group by {{ scope }}, event_date
        having sum(usd) > 0
    ),

    clock as (select cast(unnest(generate_series(0, 23)) as integer) as hour_of_day),

    shares as (
        select
            {{ scope }},
            days_and_hours.event_date,
            days_and_hours.hour_of_day,
            coalesce(
                sum(hours.usd) over (
                    partition by {{ scope }}, days_and_hours.event_date
                    order by days_and_hours.hour_of_day nulls last
                    rows between unbounded preceding and current row
                ),
                0
            )
            / days_and_hours.usd as share
        from (select * from days cross join clock) as days_and_hours
        left join hours using ({{ scope }}, event_date, hour_of_day)
    ),

    open as (
        select event_date as open_date from {{ ref("alert_open_days") }} where {{ in_dates("event_date", dates) }}
    ),

    weekdays as (
        select
            open.open_date,
            shares.*,
            extract(dayofweek from shares.event_date) = extract(dayofweek from open.open_date) as is_same_weekday,
            median(shares.share) over (
                partition by open.open_date, {{ scope }}, hour_of_day, extract(dayofweek from shares.event_date)
            ) as weekday_share
        from open
        inner join shares on shares.event_date between open.open_date - {{ usual_days }} and open.open_date - 1
    )

select
    open_date as event_date,
    {{ scope }},
    hour_of_day,
    count(*) as days,
    -- two of the same weekday are known better than all days
    coalesce(
        case
            when count(case when is_same_weekday then share end) >= 2
            then median(case when is_same_weekday then share end)
        end,
        median(share)
    ) as usual_share,
    median(
        abs(
            ln(
                (share + {{ alert_parameter("smallest_hour_share") }})
                / (weekday_share + {{ alert_parameter("smallest_hour_share") }})
            )
        )
    )
    * {{ alert_parameter("sigmas_per_mad") }}
    * {{ alert_parameter("timing_error_factor") }} as timing_error
from weekdays
group by open_date, {{ scope }}, hour_of_day
