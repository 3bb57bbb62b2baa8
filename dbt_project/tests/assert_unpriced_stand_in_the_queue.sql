{{ config(meta={"dagster": {"ref": {"name": "unpriced_models"}}}) }}
-- Fails if the attempts without a price of a model are not all listed in
-- `unpriced_models`: then a missing price would go unnoticed. Or if the exposure of the
-- rows of `cost_daily` does not add up to that of the model: rounding may move a
-- ten-thousandth of a dollar.
with
    rows_of_models as (
        select
            environment,
            data_mode,
            provider,
            model,
            sum(unpriced_attempts) as attempts,
            sum(exposure_usd) as exposure_usd,
            sum(exposure_usd_high) as exposure_usd_high
        from {{ ref("cost_daily") }}
        where unpriced_attempts > 0
        group by environment, data_mode, provider, model
    ),

    queue as (select * from {{ ref("unpriced_models") }} where status = 'open')

select environment, data_mode, provider, model, rows_of_models.attempts, queue.attempts as queued
from rows_of_models
full join queue using (environment, data_mode, provider, model)
where
    rows_of_models.attempts is distinct from queue.attempts
    or abs(rows_of_models.exposure_usd - queue.exposure_usd) > 0.0001
    or abs(rows_of_models.exposure_usd_high - queue.exposure_usd_high) > 0.0001
