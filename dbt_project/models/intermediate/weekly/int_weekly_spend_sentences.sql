{{ config(materialized="view") }}
-- What each week cost, and which effects and members changed it, in sentences.
{%- set week_scope = "week_start, environment, data_mode" %}
with
    usage as (select * from {{ ref("int_weekly_usage") }} where environment <> {{ all_environments() }}),

    effects as (
        {% for effect, words in {
            "volume": "requests",
            "mix": "endpoints and models used",
            "retry": "retries",
            "token": "tokens per call",
            "price": "dollars per token",
        }.items() %}
            select {{ week_scope }}, change_usd, '{{ words }}' as words, {{ effect }}_usd as effect_usd
            from usage {{ "union all" if not loop.last }}
        {% endfor %}
    ),

    largest_effects as (
        select *
        from effects
        where abs(effect_usd) >= 0.005  -- what rounds to a cent
        qualify
            row_number() over (partition by {{ week_scope }} order by abs(effect_usd) desc, words)
            <= {{ weekly_named_effects() }}
    )

select
    {{ week_scope }},
    1 as place,
    'spend' as kind,
    case when attempts = 0 and change_usd < 0 then 'warning' else 'info' end as severity,
    spend_usd as amount_usd,
    case
        when spend_usd is null and unpriced_attempts = 0
        then 'Each call failed, or came without token counts: the spend is unknown.'
        when spend_usd is null
        then 'Nothing that was used has a price: the spend is unknown.'
        when not is_complete
        then 'So far ' || {{ usd_text("spend_usd") }} || ' has been spent; the week is not over.'
        when attempts = 0
        then
            case when silent_days > 0 then 'No call arrived' else 'No call was made' end || case
                when change_usd < 0
                then ': ' || {{ more_or_less("change_usd") }} || ' than the week before.'
                when has_previous_week
                then ', as in the week before.'
                else '.'
            end
        else
            'Spend was '
            || case when silent_days > 0 then 'at least ' else '' end
            || {{ usd_text("spend_usd") }}
            || case
                when not has_previous_week
                then '; there is no week before it to compare with.'
                when change_usd is null
                then '; what the week before cost is unknown.'
                when previous_attempts = 0
                then '; in the week before no call was made.'
                else
                    case
                        when change_usd = 0
                        then ', as much as the week before'
                        else
                            ', '
                            || {{ more_or_less("change_usd") }}
                            || coalesce(' (' || {{ percent_text("change_ratio") }} || ')', '')
                            || ' than the week before'
                    end || case
                        when previous_silent_days > 0
                        then ', which lacks usage of ' || {{ counted("previous_silent_days", "day") }} || '.'
                        when previous_days_with_usage < days_with_usage
                        then ', which had usage on ' || {{ counted("previous_days_with_usage", "day") }} || ' only.'
                        else '.'
                    end
            end
    end as sentence,
    cast(null as string) as drill_url
from usage

union all

select
    {{ week_scope }},
    2 as place,
    'effect' as kind,
    'info' as severity,
    change_usd as amount_usd,
    'What moved it: ' || string_agg(
        words || case when effect_usd < 0 then ' −' else ' +' end || {{ usd_text("effect_usd") }},
        ', '
        order by abs(effect_usd) desc, words
    )
    || '.' as sentence,
    cast(null as string) as drill_url
from largest_effects
group by {{ week_scope }}, change_usd

union all

select
    {{ week_scope }},
    3 as place,
    'driver' as kind,
    'info' as severity,
    change_usd as amount_usd,
    member
    || ' changed most: '
    || {{ more_or_less("change_usd") }}
    || ', '
    || {{ usd_text("spend_usd") }}
    || ' in all.' as sentence,
    cast(null as string) as drill_url
from {{ ref("int_weekly_changes") }}
where dimension = 'endpoint' and rank = 1 and change_usd <> 0
