-- The input of `fct_attempts` and the daily marts, for each date: the deliveries that
-- fall on it, what identity decided about them, the price rows that apply to the models
-- seen, and the instant of the run while events of the date are still later than that.
with
    days as (select * from {{ ref("event_days") }}),

    repeats as (select * from {{ ref("int_repeated_deliveries") }}),

    prices as (select * from {{ ref("stg_price_book") }}),

    decisions as (
        select event_date, attempt_date, repeats.* exclude (event_date, attempt_date)
        from repeats
        union
        select attempt_date as event_date, attempt_date, repeats.* exclude (event_date, attempt_date)
        from repeats
    ),

    identity_by_day as (
        select
            event_date,
            md5(
                string_agg(
                    concat_ws(
                        '|',
                        content_hash,
                        line_number,
                        case when item > 1 then item end,
                        attempt_key,
                        attempt_occurred_at,
                        is_attempt,
                        duplicate_deliveries,
                        conflicting_deliveries,
                        request_date,
                        try_number,
                        tries
                    ),
                    ','
                    order by content_hash, line_number, item nulls last
                )
            ) as identity_fingerprint
        from decisions
        group by event_date
    ),

    -- what calls take from spans above them may be of other dates
    spans_by_day as (
        select
            event_date,
            md5(
                string_agg(
                    concat_ws(
                        '|',
                        content_hash,
                        line_number,
                        item,
                        is_restating
                        {%- for name in dimensions_of_emitters() %}, coalesce({{ name }}, '') {%- endfor %}
                    ),
                    ','
                    order by content_hash, line_number, item nulls last
                )
            ) as span_fingerprint
        from {{ ref("int_span_dimensions") }}
        group by event_date
    ),

    -- unnest first, distinct after: in one select, DuckDB would apply them in the
    -- opposite order
    keys_loaded as (
        select event_date, unnest(price_keys, recursive := true)
        from {{ ref("stg_loads") }}
        where event_date is not null and {{ is_usage() }}
    ),

    keys_seen as (
        select event_date, {{ price_key_columns() }}
        from keys_loaded
        union
        select attempt_date, {{ price_key_columns() }}
        from repeats
        where attempt_date <> event_date
    ),

    -- what calls of a batch are compared with counts as seen
    keys_priced as (
        select *
        from keys_seen
        union
        select * replace (cast(null as string) as processing)
        from keys_seen
        where processing = 'batch'
    ),

    prices_by_day as (
        select
            keys_priced.event_date,
            md5(
                string_agg(
                    -- a price that begins or ends within the day: the instant counts,
                    -- the date alone does not
                    concat_ws(
                        '|',
                        prices.price_row_key,
                        prices.price_book_version,
                        greatest(prices.valid_from, keys_priced.event_date),
                        least(prices.valid_to, keys_priced.event_date + 1)
                    ),
                    ','
                    order by prices.price_row_key, prices.valid_from
                )
            ) as price_fingerprint
        from keys_priced
        inner join
            prices
            on {{ same_price_key("keys_priced", "prices") }}
            and coalesce(prices.valid_from < keys_priced.event_date + 1, true)
            and coalesce(prices.valid_to > keys_priced.event_date, true)
        group by keys_priced.event_date
    )

select
    days.event_date,
    md5(
        concat_ws(
            '|',
            days.content_fingerprint,
            coalesce(identity_by_day.identity_fingerprint, ''),
            spans_by_day.span_fingerprint,
            coalesce(prices_by_day.price_fingerprint, ''),
            case when days.last_occurred_at > {{ as_of() }} then {{ as_of() }} end
        )
    ) as input_fingerprint
from days
left join identity_by_day on days.event_date = identity_by_day.event_date
left join spans_by_day on days.event_date = spans_by_day.event_date
left join prices_by_day on days.event_date = prices_by_day.event_date
