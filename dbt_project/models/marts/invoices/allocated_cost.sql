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
    environment,
    tenant_id,
    endpoint_tag,
    prompt_version,
    allocated_usd,
    method
from {{ ref("int_allocated_cost") }}
