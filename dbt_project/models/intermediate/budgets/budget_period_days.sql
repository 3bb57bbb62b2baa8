-- The input of the periods that begin on a local date: the usage of their dates, of
-- those before that show what is usual or may be carried over, how far it is judged
-- while a period lasts, and from when on a silent sender's usage is missing. An
-- attempt's date is that of its first delivery, so what happened on a date may be
-- counted under an earlier one.
with
    days as (select * from {{ ref("costed_usage_days") }}),

    reads as (
        select
            periods.period_start as event_date,
            max(cast(periods.ends_at as date)) as last_read,
            string_agg(
                concat_ws(
                    ' ',
                    periods.budget_id,
                    least(periods.ends_at, {{ quarter_before_as_of() }}),
                    case when silences.data_until < periods.ends_at then silences.data_until end
                ),
                ','
                order by periods.budget_id
            ) as period_fingerprint
        from {{ ref("int_budget_periods") }} as periods
        left join {{ ref("int_budget_silences") }} as silences on periods.budget_id = silences.budget_id
        group by periods.period_start
    )

select
    reads.event_date,
    md5(
        concat_ws(
            '|',
            any_value(reads.period_fingerprint),
            coalesce(
                string_agg(concat_ws(' ', days.event_date, days.input_fingerprint), ',' order by days.event_date), ''
            )
        )
    ) as input_fingerprint
from reads
left join
    days
    on days.event_date
    between reads.event_date
    - {{ budget_look_back_days() + identity_window_days() }} and reads.last_read
    + {{ identity_window_days() }}
group by reads.event_date
