-- The input of `int_price_changes_daily`, for each date: the attempts, and the changes
-- of prices that they used.
with
    days as (select * from {{ ref("attempt_days") }}),

    models_used as (select distinct event_date, provider, model from {{ ref("int_model_usage_daily") }}),

    changes_by_day as (
        select
            used.event_date,
            md5(
                string_agg(
                    concat_ws(
                        '|',
                        changes.version_sequence,
                        changes.version_recorded_at,
                        changes.old_price_row_key,
                        changes.new_price_row_key,
                        changes.valid_from,
                        changes.valid_to
                    ),
                    ','
                    order by
                        changes.version_sequence,
                        changes.old_price_row_key nulls last,
                        changes.new_price_row_key nulls last,
                        changes.valid_from
                )
            ) as change_fingerprint
        from models_used as used
        inner join
            {{ ref("int_price_changes") }} as changes
            on used.provider = changes.provider
            and used.model = changes.model
            and coalesce(changes.valid_from < used.event_date + 1, true)
            and coalesce(changes.valid_to > used.event_date, true)
            and changes.version_recorded_at > used.event_date
        group by used.event_date
    )

select
    days.event_date,
    md5(concat_ws('|', days.input_fingerprint, coalesce(changes_by_day.change_fingerprint, ''))) as input_fingerprint
from days
left join changes_by_day on days.event_date = changes_by_day.event_date
