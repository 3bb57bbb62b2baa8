{{ config(meta={"dagster": {"ref": {"name": "int_price_changes_daily"}}}) }}
-- Fails if the last version's attempts do not cost what the fact says: then a change
-- repriced other amounts than it lists.
with
    last_change as (
        select *
        from {{ ref("int_price_changes_daily") }}
        where version_sequence = (select max(version_sequence) from {{ ref("int_price_book_versions") }})
    ),

    listed as (select event_date, new_price_row_key, sum(cost_after_usd) as cost_usd from last_change group by all),

    booked as (
        select event_date, price_row_key, sum(cost_usd) as cost_usd
        from {{ ref("fct_attempts") }}
        where event_date in (select event_date from listed)
        group by event_date, price_row_key
    )

select listed.event_date, listed.new_price_row_key, listed.cost_usd, booked.cost_usd as booked_usd
from listed
left join booked on listed.event_date = booked.event_date and listed.new_price_row_key = booked.price_row_key
where coalesce(listed.cost_usd, 0) > coalesce(booked.cost_usd, 0)
