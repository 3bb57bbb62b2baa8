-- What each version changed in the one before it. Keys that the older version never saw
-- are not changes. A tenant's changes are those with its own prices on either side; in
-- all others it is part of everybody.
{%- set prices = [] %}
{%- for kind in token_kinds() if kind.name != "billed_requests" %}
    {%- do prices.append(kind.name ~ "_price_usd") %}
{%- endfor %}
with
    paid as (select * from {{ ref("int_prices_paid") }}),

    paired as (
        select new.version_sequence, old as old_row, new as new_row
        from paid as old
        inner join
            paid as new
            on new.version_sequence = old.version_sequence + 1
            and {{ same_price_key("old", "new") }}
            and old.payer_id is not distinct from new.payer_id
            and old.price_row_key <> new.price_row_key
            and coalesce(old.valid_from < new.valid_to, true)
            and coalesce(new.valid_from < old.valid_to, true)
            and old.day_second_from < new.day_second_to
            and new.day_second_from < old.day_second_to
            and coalesce(old.input_tokens_from < new.input_tokens_to, true)
            and coalesce(new.input_tokens_from < old.input_tokens_to, true)
        where old.payer_id is null or old.tenant_id is not null or new.tenant_id is not null
    )

select
    version_sequence,
    new_row.version_recorded_at as version_recorded_at,
    {%- for column in price_key_columns().split(", ") %} new_row.{{ column }} as {{ column }}, {%- endfor %}
    new_row.payer_id as tenant_id,
    old_row.price_row_key as old_price_row_key,
    new_row.price_row_key as new_price_row_key,
    case
        when not (coalesce({% for price in prices %}old_row.{{ price }}, {% endfor %} -1) >= 0)
        then 'added'
        when not (coalesce({% for price in prices %}new_row.{{ price }}, {% endfor %} -1) >= 0)
        then 'retracted'
        else 'changed'
    end as change_type,
    case
        when old_row.valid_from is null or new_row.valid_from > old_row.valid_from
        then new_row.valid_from
        else old_row.valid_from
    end as valid_from,
    case
        when old_row.valid_to is null or new_row.valid_to < old_row.valid_to then new_row.valid_to else old_row.valid_to
    end as valid_to,
    old_row.uncached_input_price_usd as old_input_price_usd,
    new_row.uncached_input_price_usd as new_input_price_usd,
    old_row.text_output_price_usd as old_output_price_usd,
    new_row.text_output_price_usd as new_output_price_usd,
    old_row.source as old_source,
    new_row.source as new_source,
    {{ text_list("new_row.adjustments") }} as adjustments,
    new_row.approved_by as approved_by
from paired
