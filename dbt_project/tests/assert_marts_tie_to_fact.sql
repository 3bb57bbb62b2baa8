{{ config(meta={"dagster": {"ref": {"name": "fct_attempts"}}}) }}
-- Fails if any dollar or attempt of the fact is missing from, or twice in, a daily
-- mart: then a join fanned out or a dimension dropped its NULLs.
{%- set marts = ["cost_daily"] %}
{%- for dimension in ["endpoint", "prompt_version", "tenant", "user", "model", "feature"] %}
    {%- do marts.append("cost_by_" ~ dimension ~ "_daily") %}
{%- endfor %}
{%- set dates = unverified_dates(["fct_attempts"] + marts) %}
with
    fact as (
        select
            event_date,
            environment,
            data_mode,
            sum(cost_usd) as cost_usd,
            count(*) as attempts,
            sum(cast(is_first_try as integer)) as requests
        from {{ to_verify("fct_attempts", dates) }} as fact
        group by event_date, environment, data_mode
    ),

    marts as (
        {%- for mart in marts %}
            select
                '{{ mart }}' as mart,
                event_date,
                environment,
                data_mode,
                sum(cost_usd) as cost_usd,
                sum(attempts) as attempts,
                sum(requests) as requests
            from {{ to_verify(mart, dates) }} as daily
            group by event_date, environment, data_mode {{ "union all" if not loop.last }}
        {%- endfor %}
    ),

    expected as (select mart, fact.* from fact cross join (select unnest({{ marts }}) as mart))

select mart, event_date, environment, data_mode, expected.cost_usd as fact_usd, marts.cost_usd as mart_usd
from expected
full join marts using (mart, event_date, environment, data_mode)
where
    expected.cost_usd is distinct from marts.cost_usd
    or expected.attempts is distinct from marts.attempts
    or expected.requests is distinct from marts.requests
