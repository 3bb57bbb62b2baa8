-- What did a successful request cost in the week before and in the week after each deploy of a prompt version?
with
    versions as (
        select endpoint_tag, prompt_version, min(event_date) as deployed
        from marts.cost_by_prompt_version_daily
        where environment = 'prod' and data_mode = 'real' and '(unattributed)' not in (endpoint_tag, prompt_version)
        group by endpoint_tag, prompt_version
    ),

    deploys as (
        select
            endpoint_tag,
            deployed,
            prompt_version as new_version,
            lag(prompt_version) over (partition by endpoint_tag order by deployed, prompt_version) as old_version
        from versions
        qualify old_version is not null
    )

select
    deployed,
    endpoint_tag,
    old_version,
    new_version,
    sum(successful_requests) filter (where event_date < deployed) as requests_before,
    sum(successful_requests) filter (where event_date >= deployed) as requests_after,
    round(cast(sum(cost_usd) filter (where event_date < deployed) as double) / requests_before, 5) as usd_before,
    round(cast(sum(cost_usd) filter (where event_date >= deployed) as double) / requests_after, 5) as usd_after,
    round(usd_after / usd_before - 1, 3) as change
from deploys
inner join marts.cost_by_prompt_version_daily using (endpoint_tag)
where
    environment = 'prod'
    and data_mode = 'real'
    and (
        prompt_version = old_version
        and event_date between deployed - 7 and deployed - 1
        or prompt_version = new_version
        and event_date between deployed and deployed + 6
    )
group by deployed, endpoint_tag, old_version, new_version
order by change desc nulls last, endpoint_tag, deployed
