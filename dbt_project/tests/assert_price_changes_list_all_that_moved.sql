{{ config(meta={"dagster": {"ref": {"name": "int_price_changes_daily"}}}) }}
-- Fails if an attempt costs something other than under the version before and the last
-- version's changes do not list it, price row by price row and to the last digit: then
-- totals changed without an explanation.
-- depends_on: {{ ref("fct_attempts") }}
{%- set dates = unverified_dates(["fct_attempts", "int_price_changes_daily"]) %}
{%- set key = price_key_columns().split(", ") %}
with
    last_version as (
        select max(version_sequence) as version_sequence, max(recorded_at) as recorded_at
        from {{ ref("int_price_book_versions") }}
    ),

    booked as (
        select
            fact.event_date,
            fact.price_row_key as new_price_row_key,
            fact.cost_usd as cost_after_usd,
            fact.occurred_at,
            fact.tenant_id,
            fact.input_tokens,
            fact.other_usage,
            {%- for column in key %} fact.{{ column }}, {%- endfor %}
            {%- for kind in token_kinds() %} fact.{{ kind.quantity }}, {%- endfor %}
            last_version.version_sequence - 1 as version_sequence
        from {{ ref("fct_attempts") }} as fact
        cross join last_version
        where {{ in_dates("fact.event_date", dates) }} and fact.occurred_at < last_version.recorded_at
    ),

    before as ({{ priced("booked", ref("int_price_book_history"), also=["version_sequence"]) }}),

    moved as (
        select
            event_date,
            price_row_key as old_price_row_key,
            new_price_row_key,
            count(*) as attempts,
            sum(cost_usd) as cost_before_usd,
            sum(cost_after_usd) as cost_after_usd
        from before
        where price_row_key <> new_price_row_key  -- a key that the older version never saw is not a change
        group by event_date, price_row_key, new_price_row_key
    ),

    listed as (
        select
            event_date,
            old_price_row_key,
            new_price_row_key,
            sum(attempts) as attempts,
            sum(cost_before_usd) as cost_before_usd,
            sum(cost_after_usd) as cost_after_usd
        from {{ ref("int_price_changes_daily") }}
        where {{ in_dates("event_date", dates) }} and version_sequence = (select version_sequence from last_version)
        group by event_date, old_price_row_key, new_price_row_key
    )

select
    event_date,
    old_price_row_key,
    new_price_row_key,
    moved.attempts,
    listed.attempts as attempts_listed,
    moved.cost_after_usd,
    listed.cost_after_usd as cost_after_listed_usd
from moved
full join listed using (event_date, old_price_row_key, new_price_row_key)
where
    moved.attempts is distinct from listed.attempts
    or moved.cost_before_usd is distinct from listed.cost_before_usd
    or moved.cost_after_usd is distinct from listed.cost_after_usd
