{{ config(materialized="view") }}
-- What was billed for usage, spread over who caused it by what the calls cost, so
-- that the parts add up to the bill. Shares are whole numbers of the last digit: each
-- part is rounded down, and the largest remainders get one digit more. What nobody
-- captured, and what is not for usage, is of nobody; a request on the bill is of
-- whoever made it.
{%- set cell = ["vendor", "account", "billing_month", "cell_date", "model", "leaf", "tier"] %}
{%- do ref("reconciled_days") %}
{%- set of_days = in_dates("coalesce(cell_date, billing_month)", dirty_dates("allocated_cost")) %}
{%- set dimensions = allocation_dimensions() %}
with
    cells as (select * from {{ ref("int_reconciliation_cells") }} where {{ of_days }}),

    requests as (
        select * from {{ ref("int_billed_requests") }} where bucket not in ('uncaptured', 'unbilled') and {{ of_days }}
    ),

    weights as (select * from {{ ref("int_captured_weights") }}),

    -- of ten million dollars and more in one cell, the last six digits do not matter
    scaled as (
        select
            *,
            case
                when sum(digits) over (partition by cell_key) < cast(10000000000000000000 as hugeint)
                then 1
                else 1000000
            end as scale
        from weights
    ),

    weighed as (
        select
            * exclude (digits, scale),
            {{ part_of("digits", "1", "scale") }} as weight,
            sum({{ part_of("digits", "1", "scale") }}) over (partition by cell_key) as total
        from scaled
    ),

    whole as (select cell_key, {{ in_last_digits("spread_usd") }} as digits from cells where spread_usd > 0),

    parts as (
        select
            weighed.*,
            whole.digits,
            {{ part_of("whole.digits", "weighed.weight", "weighed.total") }} as part,
            whole.digits % weighed.total * weighed.weight % weighed.total as remainder
        from weighed
        inner join whole on weighed.cell_key = whole.cell_key
        where weighed.weight > 0
    ),

    ranked as (
        select
            *,
            digits - sum(part) over (partition by cell_key) as digits_left,
            row_number() over (
                partition by cell_key
                order by
                    remainder desc,
                    weight desc,
                    {% for dimension in dimensions %}
                        {{ dimension }} nulls last {{- "," if not loop.last }}
                    {% endfor %}
            ) as place
        from parts
    ),

    shared as (
        select
            cell_key,
            {{ dimensions | join(", ") }},
            {{ from_last_digits("part + case when place <= digits_left then 1 else 0 end") }} as allocated_usd,
            'captured_cost' as method
        from ranked
        union all
        select {{ cell_key() }}, {{ dimensions | join(", ") }}, sum(billed_usd), 'request'
        from requests
        group by all
    ),

    everything as (
        select *
        from shared
        union all
        select
            cells.cell_key,
            {% for dimension in dimensions %} '(unallocated)', {% endfor %}
            cells.billed_usd - coalesce(sum(shared.allocated_usd), 0),
            'unallocated'
        from cells
        left join shared on cells.cell_key = shared.cell_key
        group by cells.cell_key, cells.billed_usd
        having cells.billed_usd <> coalesce(sum(shared.allocated_usd), 0)
    )

select
    coalesce(cells.cell_date, cells.billing_month) as event_date,
    everything.cell_key as reconciliation_key,
    {% for column in cell %} cells.{{ column }}, {% endfor %}
    {% for dimension in dimensions %} everything.{{ dimension }}, {% endfor %}
    cast(everything.allocated_usd as decimal(38, 12)) as allocated_usd,
    everything.method
from everything
inner join cells on everything.cell_key = cells.cell_key
