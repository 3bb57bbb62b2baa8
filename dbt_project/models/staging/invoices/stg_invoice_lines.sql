-- depends_on: {{ source("raw", "invoices") }}
with
    source as (select * from {{ raw_rows("invoices") }}),

    renamed as (
        select
            -- keys
            vendor,
            account,
            -- whose period an export replaces; of Google Cloud also which of
            -- its exports, each of which adds to the month
            case
                when source_kind = 'billing_export_detailed'
                then
                    coalesce(replace(billing_account_id, '|', '/'), '')
                    || ' '
                    || coalesce(cast(refreshed_at as string), '')
                when source_kind in ('cur2', 'focus', 'generic', 'cost_details_ea', 'cost_details_mca')
                then coalesce(replace(billing_account_id, '|', '/'), '')
                else ''
            end as scope_account,
            source_kind,
            grouping,
            content_hash as export_id,
            line_number,
            item,
            load_id,
            invoice_id,
            billing_account_id,
            sub_account_id,
            request_id,
            project_id,
            api_key_id,
            user_id,
            -- dimensions
            preference,
            is_usage,
            is_overlapping,
            names_models,
            finality,
            is_month_only,
            description,
            label,
            model as model_raw,
            leaf,
            processing,
            service_tier,
            region,
            context_window,
            service,
            charge_class,
            tags,
            line_type,
            currency,
            -- quantities
            quantity as quantity_raw,
            unit as unit_raw,
            {{ cast_or_null("unit_scale", "decimal(20, 6)") }} as unit_scale,
            unit_price as unit_price_raw,
            amount as billed_amount,
            effective_amount,
            list_amount,
            contracted_amount,
            amount_at_vendor_rate_usd as billed_at_vendor_rate_usd,
            effective_amount_at_vendor_rate_usd as effective_at_vendor_rate_usd,
            list_amount_at_vendor_rate_usd as list_at_vendor_rate_usd,
            contracted_amount_at_vendor_rate_usd as contracted_at_vendor_rate_usd,
            vendor_fx_rate,
            counts,
            -- times
            period_start,
            period_end,
            billing_month,
            charge_period_start,
            charge_period_end,
            billing_period_start,
            billing_period_end,
            refreshed_at
        from source
    )

select *
from renamed
