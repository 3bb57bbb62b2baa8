{{ config(materialized="view") }}
-- What was announced about budgets, and when it was known; the ledger's internal lines
-- are left out.
select
    announcement_id,
    kind,
    budget_id,
    period_start,
    from_state,
    to_state,
    cause,
    changed_at,
    changed_at_local,
    time_zone,
    spent_usd,
    limit_usd,
    projection_usd,
    attempts,
    correction_cause,
    correction_detail,
    corrects,
    changed_at_before,
    is_silent,
    is_muted,
    known_at
from {{ ref("stg_budget_announcements") }}
where kind in ('news', 'added', 'moved', 'withdrawn')
