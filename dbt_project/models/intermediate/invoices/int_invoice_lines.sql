-- A line of an invoice in full: what its label means, how much it is in single units
-- and in USD, and whether it counts. Money is multiplied by rates, never divided.
{%- set plain = "decimal(26, 12)" %}
with
    lines as (select * from {{ ref("int_measured_invoice_lines") }}),

    scopes as (select * from {{ ref("int_invoice_scopes") }} where not is_usage),

    rates as (select * from {{ ref("stg_fx_rates") }}),

    accounts as (select vendor, account, zone from {{ ref("int_vendor_accounts") }}),

    joined as (
        select
            lines.*,
            scopes.scope_key,
            scopes.arrival_date,
            scopes.landing_file,
            scopes.superseded_by_export_id,
            scopes.is_counted,
            scopes.not_counted_because,
            scopes.is_confirmed,
            scopes.last_arrival_date,
            case when lines.currency = 'USD' then 1 else rates.usd_per_unit end as seed_rate,
            case
                when lines.currency = 'USD' then lines.billed_amount else lines.billed_at_vendor_rate_usd
            end as billed_usd_at_vendor_rate,
            coalesce(accounts.zone, 'UTC') as zone
        from lines
        inner join
            scopes
            on lines.export_id = scopes.export_id
            and lines.source_kind = scopes.source_kind
            and lines.grouping = scopes.grouping
            and lines.period_start = scopes.period_start
            and lines.scope_account = scopes.scope_account
        left join
            rates on lines.currency = rates.currency and substr(cast(lines.billing_month as string), 1, 7) = rates.month
        left join accounts on lines.vendor = accounts.vendor and lines.account = accounts.account
    ),

    in_usd as (
        select
            *,
            {% for name in ["billed", "effective", "list", "contracted"] %}
                cast(
                    cast({{ name }}_amount as {{ plain }}) * cast(seed_rate as decimal(18, 12)) as decimal(38, 12)
                ) as {{ name }}_usd_at_seed_rate,
            {% endfor %}
            row_number() over (
                partition by scope_key, export_id, natural_key, billed_amount, coalesce(quantity_raw, '')
                order by line_number, item nulls last
            ) as occurrence
        from joined
    )

select
    md5(
        concat_ws(
            '|',
            scope_key,
            export_id,
            natural_key,
            cast(billed_amount as string),
            coalesce(quantity_raw, ''),
            cast(occurrence as string)
        )
    ) as invoice_line_key,
    scope_key,
    natural_key,
    cast(occurrence as integer) as occurrence,
    export_id,
    arrival_date,
    landing_file,
    -- the rest of what was measured
    in_usd.* exclude (
        scope_key,
        natural_key,
        occurrence,
        export_id,
        arrival_date,
        landing_file,
        preference,
        is_usage,
        is_overlapping,
        names_models,
        finality,
        scope_account,
        is_month_only,
        refreshed_at,
        effective_amount,
        list_amount,
        contracted_amount,
        billed_at_vendor_rate_usd,
        effective_at_vendor_rate_usd,
        list_at_vendor_rate_usd,
        contracted_at_vendor_rate_usd,
        vendor_fx_rate,
        counts,
        is_token,
        is_confirmed,
        last_arrival_date,
        seed_rate,
        zone,
        effective_usd_at_seed_rate,
        list_usd_at_seed_rate,
        contracted_usd_at_seed_rate
    ),
    case
        when charge_grain <> 'month' then cast({{ local_time("charge_period_start", "zone") }} as date)
    end as charge_date,
    cast(
        case
            when currency = 'USD' then 1 when billed_usd_at_vendor_rate is not null then vendor_fx_rate else seed_rate
        end as decimal(18, 12)
    ) as fx_rate,
    case
        when currency = 'USD'
        then null
        when billed_usd_at_vendor_rate is not null
        then 'vendor'
        when seed_rate is not null
        then 'seed'
    end as fx_source,
    coalesce(billed_usd_at_vendor_rate, billed_usd_at_seed_rate) as billed_usd,
    coalesce(effective_at_vendor_rate_usd, effective_usd_at_seed_rate) as effective_usd,
    coalesce(list_at_vendor_rate_usd, list_usd_at_seed_rate) as list_usd,
    coalesce(contracted_at_vendor_rate_usd, contracted_usd_at_seed_rate) as contracted_usd,
    case
        when finality = 'invoice'
        then invoice_id is null
        when finality = 'confirmed'
        then not is_confirmed
        else
            {{ dbt.datediff("period_end", "last_arrival_date", "day") }} < cast(split_part(finality, ':', 2) as integer)
    end as is_provisional
from in_usd
