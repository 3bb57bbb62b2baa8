{{ config(materialized="view") }}
-- What each effect of an alert is worth: of each token kind, and of all of them.
with
    effects as (
        select alerts.alert_id, effects.token_kind, effects.effect, effects.effect_usd
        from {{ ref("int_problem_effects") }} as effects
        inner join
            {{ ref("int_alerts") }} as alerts
            on {{ same_day_scope("effects", "alerts") }}
            and effects.round = alerts.round
    )

select alert_id, token_kind, effect, effect_usd
from effects
where token_kind is not null
union all
select alert_id, null, effect, cast(sum(effect_usd) as decimal(38, 12))
from effects
group by alert_id, effect
