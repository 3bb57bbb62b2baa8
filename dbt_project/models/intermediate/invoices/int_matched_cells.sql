{{ config(materialized="view") }}
-- Cells of requests that were matched one by one: what we have by the days of both
-- clocks, and what explains the rest. Of a request we know the vendor's day from the
-- bill itself.
{%- set cell = ["cell_key", "vendor", "account", "billing_month", "cell_date", "model", "leaf", "tier"] %}
{%- set request_buckets = ["uncaptured", "unbilled", "failed", "unpriced", "estimated", "rate"] %}
with
    requests as (select * from {{ ref("int_billed_requests") }}),

    request_days as (
        select
            vendor,
            account,
            billing_month,
            cell_date,
            model,
            leaf,
            tier,
            cast(0 as decimal(38, 12)) as ours_usd,
            coalesce(cost_usd, 0) as clocked_usd,
            bucket,
            coalesce(billed_usd, 0) - coalesce(cost_usd, 0) as difference_usd
        from requests
        union all
        select
            vendor,
            account,
            cast(date_trunc('month', event_date) as date),
            event_date,
            model,
            leaf,
            tier,
            cost_usd,
            0,
            null,
            0
        from requests
        where cost_usd is not null
    )

select
    {{ cell_key() }} as {{ cell | join(", ") }},
    sum(ours_usd) as ours_usd,
    sum(clocked_usd) as clocked_usd,
    {% for bucket in request_buckets %}
        sum(case when bucket = '{{ bucket }}' then difference_usd else 0 end) as request_{{ bucket }}_usd
        {{- "," if not loop.last }}
    {% endfor %}
from request_days
where (vendor, account, billing_month) in (select (vendor, account, billing_month) from requests)
group by all
