{{ config(materialized="view") }}
-- Calls of ours behind a bucket of a cell, by the days of both clocks, and what finds
-- them in the fact.
{%- set of_calls = {
    "timing": "event_date <> charge_date",
    "failed": "usage_kind = 'failed'",
    "estimated": "usage_kind = 'estimated'",
    "unpriced": "pricing_status = 'unpriced'",
    "unbilled": "pricing_status = 'priced'",
} %}
{%- set queried = {
    "timing": "true",
    "failed": "(status = 'error' or pricing_status = 'no_usage')",
    "estimated": "usage_source = 'estimate'",
    "unpriced": "pricing_status = 'unpriced'",
    "unbilled": "pricing_status = 'priced'",
} %}
{%- do ref("reconciled_days") %}
{%- set days = dirty_dates("reconciliation_evidence") %}
with
    cells as (
        select *
        from {{ ref("int_reconciliation_cells") }}
        where {{ in_dates("coalesce(cell_date, billing_month)", days) }}
    ),

    names as (
        select distinct
            vendor, account, billing_month, model, price_model_id, tier, cell_model, cell_leaf, cell_tier, is_daily
        from {{ ref("int_reconciled_names") }}
    ),

    -- of what is billed in full nothing is listed
    not_billed as (
        select distinct names.vendor, names.account, names.model
        from names
        inner join
            cells
            on names.vendor = cells.vendor
            and names.account = cells.account
            and names.billing_month = cells.billing_month
            and names.cell_model is not distinct from cells.model
        where cells.unbilled_usd <> 0
    ),

    calls as (
        select *
        from {{ ref("int_billable_usage") }}
        where
            ({{ in_days_or_months("event_date", days) }} or {{ in_days_or_months("charge_date", days) }})
            and (
                event_date <> charge_date
                or usage_kind <> 'reported'
                or pricing_status <> 'priced'
                or (vendor, account, model) in (select (vendor, account, model) from not_billed)
            )
    ),

    days as (
        select event_date as day, *
        from calls
        union all
        select charge_date, *
        from calls
        where event_date <> charge_date
    ),

    named as (
        select
            days.vendor,
            days.account,
            names.billing_month,
            case when names.is_daily then days.day end as cell_date,
            names.cell_model as model,
            names.cell_leaf as leaf,
            names.cell_tier as tier,
            days.model as our_model,
            days.tier as our_tier,
            days.* exclude (vendor, account, model, tier, day)
        from days
        inner join names on {{ is_named("days", "cast(date_trunc('month', days.day) as date)") }}
    ),

    keyed as (select *, {{ cell_key() }} as cell_key from named)

{%- for bucket, condition in of_calls.items() %}
    select keyed.*, '{{ bucket }}' as bucket, {{ text(queried[bucket]) }} as condition
    from keyed
    inner join cells on keyed.cell_key = cells.cell_key
    where cells.{{ bucket }}_usd <> 0 and keyed.{{ condition }} {{ "union all" if not loop.last }}
{%- endfor %}
