-- Who and what is inside the newest alert: the two members of each dimension that rose most?
with
    newest as (
        select alert_id
        from marts.alerts
        where environment = 'prod' and data_mode = 'real'
        order by alert_date desc, delta_usd desc
        limit 1
    )

select
    dimension,
    member,
    current_requests,
    round(baseline_requests, 1) as baseline_requests,
    round(current_usd, 2) as current_usd,
    round(baseline_usd, 2) as baseline_usd,
    round(delta_usd, 2) as delta_usd
from marts.alert_focus
inner join newest using (alert_id)
where rank <= 2 and dimension not in ('endpoint', 'error_code')
order by dimension, rank
