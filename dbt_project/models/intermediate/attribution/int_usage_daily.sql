{{ kept_by_date("attempt_days") }}
-- The leaves of every comparison: the only alert model that reads the fact's rows of a
-- whole day.
with
    attempts as (
        select * from {{ ref("fct_attempts") }} where {{ in_dates("event_date", dirty_dates()) }} and not is_future
    )

    {{ usage_leaves("attempts") }}
