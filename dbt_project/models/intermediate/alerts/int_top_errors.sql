{{ config(materialized="view") }}
-- What calls fail with where they succeed less often than usual: the error that rose
-- the most.
with
    sides as (
        select
            hours.alert_id,
            sum(hours.observed_attempts) as observed_attempts,
            sum(hours.observed_errors) as observed_errors,
            sum(hours.baseline_attempts) as baseline_attempts,
            sum(hours.baseline_errors) as baseline_errors
        from {{ ref("int_alert_hours") }} as hours
        inner join
            {{ ref("int_alerts") }} as alerts
            on hours.alert_id = alerts.alert_id
            and hours.event_date = alerts.onset_date
        group by hours.alert_id
    ),

    fallen as (
        select alert_id, observed_errors
        from sides
        where
            observed_errors / nullif(observed_attempts, 0) - coalesce(baseline_errors / nullif(baseline_attempts, 0), 0)
            >= {{ alert_parameter("burst_success_drop") }}
    ),

    codes as (
        select
            alert_id,
            error_code,
            sum(current_errors) as current_errors,
            sum(current_errors - baseline_errors) as risen,
            max_by(http_status, current_errors) as http_status
        from {{ ref("int_alert_errors") }}
        group by alert_id, error_code
    )

select
    fallen.alert_id,
    codes.error_code as top_error_code,
    cast(codes.current_errors as double) / fallen.observed_errors as top_error_share,
    codes.http_status as top_http_status
from fallen
inner join codes on fallen.alert_id = codes.alert_id
where codes.risen > 0
qualify row_number() over (partition by fallen.alert_id order by codes.risen desc, codes.error_code nulls last) = 1
