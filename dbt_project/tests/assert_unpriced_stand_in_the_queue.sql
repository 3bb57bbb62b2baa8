{{ config(meta={"dagster": {"ref": {"name": "unpriced_models"}}}) }}
-- Fails if attempts without a price are not all listed in `unpriced_models`: then a
-- missing price would go unnoticed.
with
    fact as (select sum(unpriced_attempts) as attempts from {{ ref("data_quality_daily") }}),

    queue as (select sum(attempts) as attempts from {{ ref("unpriced_models") }})

select fact.attempts, queue.attempts as queued
from fact
cross join queue
where coalesce(fact.attempts, 0) <> coalesce(queue.attempts, 0)
