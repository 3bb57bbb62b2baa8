{{ kept_by_date("reconciled_days") }}
select
    event_date,
    reconciliation_key,
    vendor,
    account,
    billing_month,
    cell_date as charge_date,
    model,
    leaf as token_kind,
    tier,
    bucket,
    evidence_kind,
    landing_file,
    endpoint_tag,
    tenant_id,
    request_id,
    attempt_key,
    cast(items as bigint) as items,
    cast(amount_usd as decimal(38, 12)) as amount_usd,
    query
from {{ ref("int_reconciliation_evidence") }}
