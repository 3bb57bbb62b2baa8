{{ config(materialized="view") }}
-- What we captured, by the days of both clocks and by kind of token, with the price
-- in our book of the row that most of it was priced by.
{%- set group = [
    "vendor",
    "account",
    "model",
    "price_model_id",
    "tier",
    "price_row_key",
    "pricing_status",
    "usage_kind",
] %}
{%- set leaves = billed_leaves() %}
{%- do ref("reconciled_months") %}
{%- set months = dirty_dates("int_captured_cells") %}
with
    usage as (
        select *
        from {{ ref("int_billable_usage") }}
        where {{ in_months("event_date", months) }} or {{ in_months("charge_date", months) }}
    ),

    days as (
        select event_date as day, true as is_ours, event_date = charge_date as is_clocked, *
        from usage
        union all
        select charge_date, false, true, *
        from usage
        where event_date <> charge_date
    ),

    sums as (
        select
            day,
            cast(date_trunc('month', day) as date) as billing_month,
            is_ours,
            is_clocked,
            {{ group | join(", ") }},
            sum(failed_input_tokens) as failed_input_tokens,
            {% for kind in token_kinds() %}
                sum({{ kind.quantity }}) as {{ kind.quantity }},
                sum({{ kind.name }}_cost_usd) as {{ kind.name }}_cost_usd,
            {% endfor %}
            sum(other_cost_usd) as other_cost_usd
        from days
        where {{ in_months("day", months) }}
        group by all
    ),

    prices as (
        select
            price_row_key,
            coalesce(max(approved_by), max(cast(adjustments as string))) is null as is_list_price,
            {% for kind in token_kinds() %}
                max({{ kind.name }}_price_usd) as {{ kind.name }}_price_usd {{- "," if not loop.last }}
            {% endfor %}
        from {{ ref("int_price_book") }}
        where price_row_key in (select price_row_key from sums)
        group by price_row_key
    )

{% for name, leaf in leaves.items() %}
        {%- set kind = token_kinds() | selectattr("name", "equalto", name) | first %}
    select
        sums.day,
        sums.billing_month,
        sums.is_ours,
        sums.is_clocked,
        {% for column in group %} sums.{{ column }}, {% endfor %}
        '{{ leaf }}' as leaf,
        sums.{{ kind.quantity }} as quantity,
        coalesce(sums.{{ name }}_cost_usd, 0) as cost_usd,
        {{ "sums.failed_input_tokens" if leaf == "input" else 0 }} as failed_tokens,
        prices.{{ name }}_price_usd as price_usd,
        prices.is_list_price
    from sums
    left join prices on sums.price_row_key = prices.price_row_key
    where
        sums.{{ kind.quantity }} > 0
        or sums.{{ name }}_cost_usd <> 0 {{- " or sums.failed_input_tokens > 0" if leaf == "input" }}
    union all
{% endfor %}
select day, billing_month, is_ours, is_clocked, {{ group | join(", ") }}, 'other', 0, other_cost_usd, 0, null, null
from sums
where other_cost_usd <> 0
