{{ config(materialized="view") }}
-- What is behind a bucket of a cell: lines of the bill, file by file; calls of ours,
-- endpoint by endpoint; or requests that were matched one by one. Each row has the
-- query that lists what it counts.
{%- do ref("reconciled_days") %}
{%- set of_days = in_dates("coalesce(cell_date, billing_month)", dirty_dates("reconciliation_evidence")) %}
{%- set payers = ["region", "billing_account_id", "sub_account_id"] %}
{%- set of_usage = ["unpriced", "uncaptured", "unbilled", "rate", "unexplained"] %}
with
    cells as (select * from {{ ref("int_reconciliation_cells") }} where {{ of_days }}),

    lines as (select *, {{ cell_key() }} as cell_key from {{ ref("int_billed_lines") }} where {{ of_days }}),

    -- a line is what its bucket says, and a line for usage is behind what is left
    behind as (
        select cell_key, bucket, landing_file, line_number, billed_usd as amount_usd
        from lines
        where bucket <> 'usage'
        union all
        select cell_key, 'currency', landing_file, line_number, currency_usd
        from lines
        where currency_usd <> 0
        {%- for bucket in of_usage %}
            union all
            select lines.cell_key, '{{ bucket }}', lines.landing_file, lines.line_number, lines.billed_usd
            from lines
            inner join cells on lines.cell_key = cells.cell_key
            where lines.bucket = 'usage' and not lines.is_by_request and cells.{{ bucket }}_usd <> 0
        {%- endfor %}
    ),

    caused as (select * from {{ ref("int_evidence_calls") }}),

    found as (
        select
            cell_key,
            bucket,
            'invoice_lines' as evidence_kind,
            landing_file,
            cast(null as string) as endpoint_tag,
            cast(null as string) as tenant_id,
            cast(null as string) as request_id,
            cast(null as string) as attempt_key,
            count(*) as items,
            sum(amount_usd) as amount_usd,
            'select * from invoice_lines where landing_file = '''
            || replace(landing_file, '''', '''''')
            || ''' and line_number between ' || min(line_number) || ' and ' || max(line_number) as query
        from behind
        group by cell_key, bucket, landing_file
        union all
        select
            cell_key,
            bucket,
            'attempts',
            null,
            endpoint_tag,
            tenant_id,
            null,
            min(example_attempt_key),
            sum(attempts),
            null,
            'select * from fct_attempts where occurred_at between timestamp '''
            || min(first_occurred_at)
            || ''' and timestamp '''
            || max(last_occurred_at)
            || ''' and data_mode <> ''demo'' and provider = '''
            || replace(provider, '''', '''''')
            || ''' and model = '''
            || replace(our_model, '''', '''''')
            || ''' and endpoint_tag = '''
            || replace(endpoint_tag, '''', '''''')
            || ''' and tenant_id = '''
            || replace(tenant_id, '''', '''''')
            || ''' and '
            || {{ text(tier_of("processing", "service_tier")) }}
            || ' = '''
            || our_tier
            || ''''
            {%- for payer in payers %}
                || coalesce(
                    ' and {{ payer }} = ''' || replace({{ payer }}, '''', '''''') || '''', ' and {{ payer }} is null'
                )
            {%- endfor %}
            || ' and '
            || condition
        from caused
        group by
            {% for column in payers %} {{ column }}, {% endfor %}
            cell_key,
            bucket,
            event_date,
            provider,
            our_model,
            our_tier,
            endpoint_tag,
            tenant_id,
            condition
        union all
        select
            {{ cell_key() }},
            bucket,
            'request',
            null,
            endpoint_tag,
            tenant_id,
            request_id,
            attempt_key,
            1,
            coalesce(billed_usd, 0) - coalesce(cost_usd, 0),
            'select * from fct_attempts where provider_request_id = ''' || replace(request_id, '''', '''''') || ''''
        from {{ ref("int_billed_requests") }}
        where coalesce(billed_usd, 0) <> coalesce(cost_usd, 0) and {{ of_days }}
    )

select
    coalesce(cells.cell_date, cells.billing_month) as event_date,
    found.cell_key as reconciliation_key,
    cells.vendor,
    cells.account,
    cells.billing_month,
    cells.cell_date,
    cells.model,
    cells.leaf,
    cells.tier,
    found.* exclude (cell_key)
from found
inner join cells on found.cell_key = cells.cell_key
