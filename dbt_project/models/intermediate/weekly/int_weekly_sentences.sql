-- Every finding of each week, a sentence and its dollars, generated from the figures
-- alone.
with
    sentences as (
        select *
        from {{ ref("int_weekly_spend_sentences") }}
        union all
        select *
        from {{ ref("int_weekly_event_sentences") }}
        union all
        select *
        from {{ ref("int_weekly_quality_sentences") }}
    )

select
    weeks.iso_week,
    sentences.week_start,
    weeks.is_complete,
    sentences.environment,
    sentences.data_mode,
    row_number() over (
        partition by sentences.week_start, sentences.environment, sentences.data_mode
        order by sentences.place, sentences.amount_usd desc nulls last, sentences.sentence
    ) as rank,
    sentences.kind,
    sentences.severity,
    sentences.amount_usd,
    sentences.sentence,
    sentences.drill_url
from sentences
inner join {{ ref("int_weeks") }} as weeks on sentences.week_start = weeks.week_start
