{{ kept_by_date("alert_open_days") }}
-- The leaves of a day that is not complete, by its hours that count.
with
    attempts as (
        select attempts.*
        from {{ ref("fct_attempts") }} as attempts
        inner join {{ ref("int_open_hours") }} as hours using (event_date, environment, data_mode)
        where
            {{ in_dates("attempts.event_date", dirty_dates()) }}
            and not attempts.is_future
            and extract(hour from attempts.occurred_at) <= hours.through_hour
    )

    {{ usage_leaves("attempts") }}
