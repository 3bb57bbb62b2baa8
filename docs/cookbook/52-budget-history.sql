-- When did a budget change state, and why?
select
    budget_id,
    changed_at_local,
    from_state,
    to_state,
    cause,
    round(spent_usd, 2) as spent_usd,
    round(limit_usd, 2) as limit_usd,
    round(projection_usd, 2) as projection_usd,
    round(burn_rate, 2) as burn_rate
from marts.budget_transitions
where budget_id = 'agent-act-week' and changed_at >= timestamp '2026-11-02'
order by changed_at, sequence
