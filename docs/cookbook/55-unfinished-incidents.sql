-- Which incidents are not finished, and what is left to do?
select
    incident_id,
    status,
    problem,
    minutes_to_contain,
    round(cost_until_containment_usd, 2) as until_contained_usd,
    round(cost_usd, 2) as cost_usd,
    owner,
    concat_ws('; ', execution_missing, hardening_missing) as missing,
    is_runbook_stale
from marts.incidents
where status <> 'closed' or execution_missing is not null or hardening_missing is not null
order by opened_at
