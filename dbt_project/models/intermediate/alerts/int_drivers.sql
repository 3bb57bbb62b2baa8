{{ kept_by_date("alert_signal_days") }}
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set day_scope = "event_date, environment, data_mode" %}
with
    signals as (
        select
            *,
            row_number() over (order by {{ day_scope }}, alert_type, measure, scope_dimension, scope_value) as signal_id
        from {{ ref("int_alert_signals") }}
        where {{ in_dates("event_date", dates) }} and observed > expected
    ),

    leaves_1 as (select *, 1 as one from {{ ref("int_driver_leaves") }} where {{ in_dates("event_date", dates) }}),

    -- leaves expect their mean, a series expects its median: what a segment explains of a series is counted in the
    -- series' terms
    series_leaves as (
        select signals.signal_id, sum(leaves.expected_usd) as expected_usd
        from signals
        inner join leaves_1 as leaves on leaves.effect = 'cost' and {{ in_series("leaves", "signals") }}
        group by signals.signal_id
    ),

    open_1 as (
        select signals.*, coalesce(signals.expected / nullif(series_leaves.expected_usd, 0), 1) as leaf_scale
        from signals
        left join series_leaves using (signal_id)
    ),

    {% for round in range(1, rounds() + 1) %}
        segments_{{ round }} as ({{ segments("leaves_" ~ round, "open_" ~ round) }}),

        candidates_{{ round }} as ({{ scored("segments_" ~ round) }}),

        overlaps_{{ round }} as (
            select
                candidates.candidate_id,
                open.signal_id,
                any_value(open.observed - open.expected) as excess_usd,
                sum(leaves.actual_usd - open.leaf_scale * leaves.expected_usd) as shared_usd
            from candidates_{{ round }} as candidates
            inner join
                leaves_{{ round }} as leaves on leaves.effect = 'cost' and {{ in_segment("leaves", "candidates") }}
            inner join open_{{ round }} as open on {{ in_series("leaves", "open") }}
            group by candidates.candidate_id, open.signal_id
        ),

        relevant_{{ round }} as (
            select distinct candidate_id
            from overlaps_{{ round }}
            inner join candidates_{{ round }} using (candidate_id)
            where shared_usd >= 0.5 * excess_usd and delta_usd >= 0.5 * excess_usd
        ),

        -- what the segment costs more in all, over all its models and versions: tokens that grew while their price
        -- fell moved nothing
        nets_{{ round }} as (
            select candidates.candidate_id, sum(leaves.actual_usd - leaves.expected_usd) as net_usd
            from candidates_{{ round }} as candidates
            inner join
                leaves_{{ round }} as leaves
                on leaves.effect = 'cost'
                and {{ in_segment("leaves", "candidates", ["endpoint", "tenant", "user"]) }}
            where candidates.effect in ('token', 'price_mix')
            group by candidates.candidate_id
        ),

        ranked_{{ round }} as (
            select
                candidates.*,
                {{ round }} as round,
                row_number() over (partition by {{ day_scope }} order by strength desc, candidate_id) as rank
            from candidates_{{ round }} as candidates
            inner join relevant_{{ round }} using (candidate_id)
            left join nets_{{ round }} as nets using (candidate_id)
            where coalesce(nets.net_usd >= 0.3 * candidates.delta_usd, true)
        ),

        explained_{{ round }} as (
            select shares.signal_id, ranked.round, shares.shared_usd
            from overlaps_{{ round }} as shares
            inner join ranked_{{ round }} as ranked on shares.candidate_id = ranked.candidate_id and ranked.rank = 1
            where shares.shared_usd >= 0.5 * shares.excess_usd
        ),

        open_{{ round + 1 }} as (
            select open.*
            from open_{{ round }} as open
            inner join ranked_{{ round }} as top on top.rank = 1 and {{ same_day_scope("top", "open") }}
            left join explained_{{ round }} as explained on open.signal_id = explained.signal_id
            where explained.signal_id is null
        ),

        leaves_{{ round + 1 }} as (
            select leaves.*
            from leaves_{{ round }} as leaves
            inner join (select distinct {{ day_scope }} from open_{{ round + 1 }}) as still_open using ({{ day_scope }})
            inner join ranked_{{ round }} as top on top.rank = 1 and {{ same_day_scope("top", "leaves") }}
            where not ({{ in_segment("leaves", "top") }})
        )
        {{- "," if not loop.last }}
    {% endfor %}

{% for round in range(1, rounds() + 1) %}
    select
        ranked.event_date,
        ranked.environment,
        ranked.data_mode,
        ranked.round,
        ranked.rank,
        ranked.effect,
        {% for dimension in leaf_dimensions() %} ranked.{{ dimension.column }}, {% endfor %}
        ranked.actual_usd,
        ranked.expected_usd,
        ranked.delta_usd,
        ranked.score,
        ranked.strength,
        ranked.depth,
        explained.signals as explained_signals
    from ranked_{{ round }} as ranked
    left join
        (
            select {{ day_scope }}, list({{ explained_signal() }} order by signal_id) as signals
            from explained_{{ round }}
            inner join signals using (signal_id)
            group by {{ day_scope }}
        ) as explained
        on ranked.rank = 1
        and {{ same_day_scope("ranked", "explained") }}
    where ranked.rank <= 5 {{ "union all" if not loop.last }}
{% endfor %}
