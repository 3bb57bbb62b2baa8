-- Why did the newest alert fire: what each effect is worth in dollars, and which drivers carry it?
with
    newest as (
        select alert_id
        from marts.alerts
        where environment = 'prod' and data_mode = 'real'
        order by alert_date desc, delta_usd desc
        limit 1
    )

select
    'effect' as part,
    effect || ': ' || metric as what,
    round(baseline, 6) as baseline,
    round(current, 6) as current,
    round(effect_usd, 2) as usd
from marts.alert_compare
inner join newest using (alert_id)
where effect is not null and effect_usd <> 0 and token_kind is null

union all

select
    'driver ' || rank,
    effect || ': ' || driver_dimension || ' ' || driver_value,
    round(baseline_usd, 6),
    round(current_usd, 6),
    round(delta_usd, 2)
from marts.alert_drivers
inner join newest using (alert_id)
order by part, usd desc
