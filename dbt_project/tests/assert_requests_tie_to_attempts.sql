{{ config(meta={"dagster": {"ref": {"name": "fct_requests"}}}) }}
-- Fails if the requests of a date do not hold exactly the attempts and the cost of the
-- fact: then an attempt is lost or is in two requests.
-- depends_on: {{ ref("fct_requests") }}
{%- set dates = unverified_dates(["fct_requests", "fct_attempts"]) %}
with
    attempts as (
        select
            request_date as event_date,
            count(*) as attempts,
            sum(cost_usd) as cost_usd,
            sum(cast(is_first_try as integer)) as first_tries,
            sum(cast(is_last_try as integer)) as last_tries
        from {{ ref("fct_attempts") }}
        where
            {{ in_dates("request_date", dates) }}
            and {{ in_dates("event_date", with_neighbours(dates, 0, identity_window_days())) }}
        group by request_date
    ),

    requests as (
        select event_date, count(*) as requests, sum(attempts) as attempts, sum(cost_usd) as cost_usd
        from {{ to_verify("fct_requests", dates) }} as requests
        group by event_date
    )

select
    event_date,
    attempts.attempts,
    requests.attempts as attempts_in_requests,
    attempts.cost_usd,
    requests.cost_usd as requests_usd
from attempts
full join requests using (event_date)
where
    attempts.attempts is distinct from requests.attempts
    or attempts.cost_usd is distinct from requests.cost_usd
    or attempts.first_tries is distinct from requests.requests
    or attempts.last_tries is distinct from requests.requests
