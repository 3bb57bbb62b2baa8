-- Which prompt versions cost more per request than the version they replaced?
with
    versions as (
        select
            endpoint_tag,
            prompt_version,
            min(event_date) as first_day,
            sum(requests) as requests,
            cast(sum(cost_usd) as double) / nullif(sum(requests), 0) as usd_per_request
        from marts.cost_by_prompt_version_daily
        where environment = 'prod' and data_mode = 'real' and '(unattributed)' not in (endpoint_tag, prompt_version)
        group by endpoint_tag, prompt_version
        having sum(requests) >= 100
    ),

    compared as (
        select
            *, lag(prompt_version) over by_age as replaced, lag(usd_per_request) over by_age as replaced_usd_per_request
        from versions
        window by_age as (partition by endpoint_tag order by first_day, prompt_version)
    )

select
    endpoint_tag,
    prompt_version,
    replaced,
    first_day,
    requests,
    round(usd_per_request, 5) as usd_per_request,
    round(usd_per_request / replaced_usd_per_request - 1, 3) as change
from compared
where usd_per_request > replaced_usd_per_request
order by change desc
