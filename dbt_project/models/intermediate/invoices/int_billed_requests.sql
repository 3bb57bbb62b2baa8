-- Where a bill has a line for each request: the request as it was billed next to the
-- attempt as we captured it, and what explains the difference between the two.
with
    lines as (select * from {{ ref("int_billed_lines") }} where is_by_request and bucket = 'usage'),

    months as (
        select vendor, account, billing_month, max(cell_date) as covered_through
        from lines
        group by vendor, account, billing_month
    ),

    generations as (
        select
            vendor,
            account,
            billing_month,
            request_id,
            min(cell_date) as cell_date,
            max(model) as model,
            min(invoice_line_key) as invoice_line_key,
            sum(billed_usd) as billed_usd
        from lines
        group by vendor, account, billing_month, request_id
    ),

    owners as (
        select distinct
            usage.vendor, usage.account, usage.provider, usage.region, usage.billing_account_id, usage.sub_account_id
        from {{ ref("int_billable_usage") }} as usage
        inner join months on usage.vendor = months.vendor and usage.account = months.account
    ),

    attempts as (
        select
            owners.vendor,
            owners.account,
            fct_attempts.*,
            row_number() over (
                partition by owners.vendor, owners.account, fct_attempts.provider_request_id
                order by fct_attempts.attempt_key nulls last
            ) as place_of_id
        from {{ ref("fct_attempts") }} as fct_attempts
        inner join
            owners
            on fct_attempts.provider = owners.provider
            and fct_attempts.region is not distinct from owners.region
            and fct_attempts.billing_account_id is not distinct from owners.billing_account_id
            and fct_attempts.sub_account_id is not distinct from owners.sub_account_id
        where
            fct_attempts.data_mode <> 'demo'
            and not fct_attempts.is_future
            and fct_attempts.event_date >= (select min(billing_month) - interval 1 day from months)
    ),

    paired as (
        select
            coalesce(generations.vendor, attempts.vendor) as vendor,
            coalesce(generations.account, attempts.account) as account,
            coalesce(
                generations.billing_month, cast(date_trunc('month', attempts.event_date) as date)
            ) as billing_month,
            coalesce(generations.cell_date, attempts.event_date) as cell_date,
            coalesce(generations.model, attempts.model) as model,
            coalesce(generations.request_id, attempts.provider_request_id) as request_id,
            generations.invoice_line_key,
            generations.billed_usd,
            attempts.event_date,
            attempts.attempt_key,
            attempts.environment,
            attempts.tenant_id,
            attempts.endpoint_tag,
            attempts.prompt_version,
            attempts.cost_usd,
            case
                when generations.request_id is null
                then 'unbilled'
                when attempts.attempt_key is null
                then 'uncaptured'
                when attempts.status = 'error' or attempts.pricing_status = 'no_usage'
                then 'failed'
                when attempts.pricing_status <> 'priced'
                then 'unpriced'
                when attempts.usage_source = 'estimate'
                then 'estimated'
                else 'rate'
            end as bucket
        from generations
        full join
            attempts
            on generations.vendor = attempts.vendor
            and generations.account = attempts.account
            and generations.request_id = attempts.provider_request_id
            and attempts.place_of_id = 1
    )

select
    paired.*,
    cast(null as string) as leaf,
    'standard' as tier,
    {{
        fingerprint_of(
            ["paired.request_id", "bucket", "model", "billed_usd", "attempt_key", "cost_usd"]
            + allocation_dimensions()
        )
    }} as row_fingerprint
from paired
inner join
    months
    on paired.vendor = months.vendor
    and paired.account = months.account
    and paired.billing_month = months.billing_month
    and (paired.bucket <> 'unbilled' or paired.cell_date <= months.covered_through)
