-- Each counted line with the cell that it belongs to and the bucket that it is by
-- itself. A line without a day, or for days of another month, belongs to the month
-- only.
with
    lines as (select * from {{ ref("int_invoice_lines") }} where is_counted),

    sorted as (
        select
            *,
            case
                when
                    charge_grain <> 'month'
                    and charge_date >= billing_month
                    and charge_date < billing_month + interval 1 month
                then charge_date
            end as cell_date,
            case
                when line_type in ('tax', 'fee', 'credit', 'discount', 'rounding')
                then line_type
                when
                    line_type = 'adjustment'
                    or charge_class = 'Correction'
                    or charge_date < billing_month
                    or charge_date >= billing_month + interval 1 month
                    or charge_period_end <= billing_month - interval 1 day
                then 'prior_period'
                when occurrence > 1
                then 'billed_twice'
                else 'usage'
            end as bucket,
            charge_grain = 'request' and request_id is not null and line_type = 'usage' as is_by_request,
            {{ tier_of("processing", "service_tier") }} as tier
        from lines
    ),

    named as (
        select
            invoice_line_key,
            vendor,
            account,
            billing_month,
            cell_date,
            model,
            our_model,
            -- Anthropic names searches by the type of cost
            case
                when not is_by_request then coalesce(leaf, case when service = 'web_search' then 'web_searches' end)
            end as leaf,
            case when is_by_request then 'standard' else tier end as tier,
            bucket,
            is_by_request,
            request_id,
            quantity,
            is_provisional,
            billed_usd,
            coalesce(billed_usd_at_seed_rate, billed_usd) as compared_usd,
            coalesce(billed_usd_at_seed_rate, billed_usd) - billed_usd as currency_usd,
            -- what was paid for before and is used up now counts at what it is worth
            case when bucket = 'usage' and billed_usd = 0 then coalesce(effective_usd, 0) else 0 end as prepaid_usd,
            case when bucket = 'usage' then billed_usd - list_usd end as off_list_usd,
            currency,
            landing_file,
            line_number
        from sorted
    )

select
    *,
    {{
        fingerprint_of(
            [
                "vendor",
                "account",
                "cell_date",
                "model",
                "our_model",
                "leaf",
                "tier",
                "bucket",
                "is_by_request",
                "request_id",
                "quantity",
                "is_provisional",
                "billed_usd",
                "compared_usd",
                "currency_usd",
                "prepaid_usd",
                "off_list_usd",
                "currency",
                "landing_file",
                "line_number",
            ]
        )
    }} as row_fingerprint
from named
