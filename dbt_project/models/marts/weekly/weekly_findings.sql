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
    sentences.sentence
from {{ ref("int_weekly_sentences") }} as sentences
inner join {{ ref("int_weeks") }} as weeks on sentences.week_start = weeks.week_start
