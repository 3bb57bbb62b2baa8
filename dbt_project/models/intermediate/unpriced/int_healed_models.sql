-- Which attempts got their price afterwards, from the record of what each price book
-- version changed.
{%- set model_key = ["environment", "data_mode", "provider", "model"] %}
with
    usage as (select * from {{ ref("int_model_usage_daily") }}),

    healing as (select * from {{ ref("int_price_book_changes") }} where priced_attempts_after > priced_attempts_before),

    healed as (
        select
            {{ model_key | join(", ") }},
            -- a price that was lost and came back healed the same attempts twice
            cast(sum(priced_attempts_after - priced_attempts_before) as bigint) as healings,
            max(recorded_at) as healed_at,
            max_by(
                new_source || case when approved_by is null then '' else ', approved by ' || approved_by end,
                (version_sequence, priced_attempts_after - priced_attempts_before, new_source)
            ) as healed_by,
            cast(sum(moved_usd) as decimal(38, 12)) as healed_cost_usd,
            min(coalesce(valid_from, timestamp '0001-01-01')) as healed_from,
            max(coalesce(valid_to, timestamp '9999-01-01')) as healed_to
        from healing
        group by {{ model_key | join(", ") }}
    )

select
    {% for column in model_key %} healed.{{ column }}, {% endfor %}
    cast(least(max(healed.healings), sum(usage.priced_attempts)) as bigint) as healed_attempts,
    max(healed.healed_at) as healed_at,
    max(healed.healed_by) as healed_by,
    max(healed.healed_cost_usd) as healed_cost_usd,
    min(usage.event_date) as first_seen_date,
    max(usage.event_date) as last_seen_date
from healed
inner join
    usage
    on usage.priced_attempts > 0
    and usage.event_date >= cast(healed.healed_from as date)
    and usage.event_date < healed.healed_to
    -- what came later was never in the queue; an event dated ahead of its healing was
    and (usage.event_date <= cast(healed.healed_at as date) or healed.healed_from > healed.healed_at)
    {%- for column in model_key %} and healed.{{ column }} = usage.{{ column }} {%- endfor %}
group by {% for column in model_key %} healed.{{ column }} {{- "," if not loop.last }} {% endfor %}
