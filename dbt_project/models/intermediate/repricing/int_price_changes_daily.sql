{{ kept_by_date("int_price_change_days") }}
-- Attempts from before a version that it repriced, at both prices, summed by day and
-- pair of price rows. Later attempts had that price from the start: they changed
-- nothing, and a new day never reads an old change.
with
    touched as (
        select
            version_sequence,
            version_recorded_at,
            {{ price_key_columns() }},
            min(coalesce(valid_from, timestamp '0001-01-01')) as first_instant,
            max(coalesce(valid_to, timestamp '9999-01-01')) as last_instant
        from {{ ref("int_price_changes") }}
        group by version_sequence, version_recorded_at, {{ price_key_columns() }}
    ),

    sides as (
        select touched.*, version_sequence as change_sequence, 'after' as side
        from touched
        union all
        select touched.* replace (version_sequence - 1 as version_sequence), version_sequence, 'before'
        from touched
    ),

    used as (
        select
            attempts.source,
            attempts.event_date,
            attempts.environment,
            attempts.data_mode,
            attempts.attempt_key,
            attempts.occurred_at,
            attempts.tenant_id,
            attempts.input_tokens,
            attempts.other_usage,
            {%- for column in price_key_columns().split(", ") %} attempts.{{ column }}, {%- endfor %}
            {%- for kind in token_kinds() %} attempts.{{ kind.quantity }}, {%- endfor %}
            sides.version_sequence,
            sides.change_sequence,
            sides.side
        from {{ ref("fct_attempts") }} as attempts
        inner join
            sides
            on {{ same_price_key("attempts", "sides") }}
            and attempts.occurred_at >= sides.first_instant
            and attempts.occurred_at < sides.last_instant
            and attempts.occurred_at < sides.version_recorded_at
        where {{ in_dates("attempts.event_date", dirty_dates()) }}
    ),

    repriced as ({{ priced("used", ref("int_price_book_history"), also=["version_sequence"]) }}),

    compared as (
        select
            change_sequence as version_sequence,
            event_date,
            environment,
            data_mode,
            {{ price_key_columns() }},
            {%- for side in ["before", "after"] %}
                max(case when side = '{{ side }}' then price_row_key end) as price_row_key_{{ side }},
                max(case when side = '{{ side }}' then cost_usd end) as cost_{{ side }}_usd,
            {%- endfor %}
            attempt_key
        from repriced
        group by change_sequence, event_date, source, environment, data_mode, attempt_key, {{ price_key_columns() }}
    )

select
    version_sequence,
    event_date,
    environment,
    data_mode,
    {{ price_key_columns() }},
    price_row_key_before as old_price_row_key,
    price_row_key_after as new_price_row_key,
    count(*) as attempts,
    count(cost_before_usd) as priced_attempts_before,
    count(cost_after_usd) as priced_attempts_after,
    cast(sum(cost_before_usd) as decimal(38, 12)) as cost_before_usd,
    cast(sum(cost_after_usd) as decimal(38, 12)) as cost_after_usd
from compared
where price_row_key_before is distinct from price_row_key_after
group by
    version_sequence,
    event_date,
    environment,
    data_mode,
    {{ price_key_columns() }},
    price_row_key_before,
    price_row_key_after
