-- Which alerts are open, what drives each, how much is it, and what is the first thing to do?
select
    alert_date,
    severity,
    spike_type,
    top_driver_dimension || ': ' || top_driver_value as driver,
    round(delta_usd, 2) as delta_usd,
    round(z, 1) as z,
    owner,
    escalation_channel,
    containment_action
from marts.alerts
where status in ('open', 'extended') and environment = 'prod' and data_mode = 'real'
order by severity = 'critical' desc, alerts.delta_usd desc
