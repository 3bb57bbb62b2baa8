{{ config(meta={"dagster": {"ref": {"name": "price_book_changes"}}}) }}
-- Fails if the months of `price_book_changes` do not hold exactly what the days do:
-- then costs changed at a pair of prices that no listed change has, or a pair is listed
-- twice.
with
    days as (
        select version_sequence, sum(attempts) as attempts, sum(cost_after_usd) as usd, sum(cost_before_usd) as old_usd
        from {{ ref("int_price_changes_daily") }}
        group by version_sequence
    ),

    months as (
        select version_sequence, sum(attempts) as attempts, sum(cost_after_usd) as usd, sum(cost_before_usd) as old_usd
        from {{ ref("price_book_changes") }}
        where attempts > 0
        group by version_sequence
    )

select version_sequence, days.attempts, months.attempts as attempts_listed, days.usd, months.usd as usd_listed
from days
full join months using (version_sequence)
where
    days.attempts is distinct from months.attempts
    or days.usd is distinct from months.usd
    or days.old_usd is distinct from months.old_usd
