select
    environment,
    data_mode,
    spike_type,
    anchor,
    episode,
    onset_date,
    max(event_date) as last_date,
    cast(count(*) as integer) as days,
    max(level_shift_date) as level_shift_date,
    sum(excess_usd) as total_excess_usd,
    min_by(round, event_date) as round,
    min_by(anchor_dimension, event_date) as anchor_dimension
from {{ ref("int_alert_episode_days") }}
group by environment, data_mode, spike_type, anchor, episode, onset_date
