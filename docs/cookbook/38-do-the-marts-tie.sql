-- Do all cost marts show the same total as the fact, to the last decimal?
select 'fct_attempts' as mart, count(*) as attempts, sum(cost_usd) as cost_usd
from marts.fct_attempts
union all
select 'fct_requests', sum(attempts), sum(cost_usd)
from marts.fct_requests
union all
select 'cost_daily', sum(attempts), sum(cost_usd)
from marts.cost_daily
union all
select 'cost_by_endpoint_daily', sum(attempts), sum(cost_usd)
from marts.cost_by_endpoint_daily
union all
select 'cost_by_prompt_version_daily', sum(attempts), sum(cost_usd)
from marts.cost_by_prompt_version_daily
union all
select 'cost_by_tenant_daily', sum(attempts), sum(cost_usd)
from marts.cost_by_tenant_daily
union all
select 'cost_by_user_daily', sum(attempts), sum(cost_usd)
from marts.cost_by_user_daily
union all
select 'cost_by_model_daily', sum(attempts), sum(cost_usd)
from marts.cost_by_model_daily
union all
select 'cost_by_feature_daily', sum(attempts), sum(cost_usd)
from marts.cost_by_feature_daily
