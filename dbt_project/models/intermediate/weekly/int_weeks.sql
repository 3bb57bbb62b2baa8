{{ config(materialized="view") }}
-- ISO weeks (Monday to Sunday, UTC) from the first usage to the instant of the run.
with
    used as (
        select min(event_date) as first_date
        from {{ ref("attempt_days") }}
        where event_date <= cast({{ as_of() }} as date)
    ),

    mondays as (
        select cast({{ mondays_between("first_date", "cast(" ~ as_of() ~ " as date)") }} as date) as week_start
        from used
        where first_date is not null
    )

select
    week_start,
    week_start + 7 as week_end,
    {{ iso_week("week_start") }} as iso_week,
    {{ as_of() }} >= {{ dbt.dateadd("hour", 7 * 24 + lateness_hours(), "week_start") }} as is_complete
from mondays
