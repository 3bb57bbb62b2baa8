{#- The Monday of a date's ISO week. -#}
{% macro monday_of(column) -%} cast(date_trunc('week', {{ column }}) as date) {%- endmacro %}

{#- Usage of the dirty weeks, each beside the week before it, summed by `dimensions`: a row stands on its week as `current` and on the
    next one as `previous`. -#}
{% macro usage_beside_last_week(dimensions) %}
    {%- set weeks = dirty_dates() -%}
    {%- set grain = "event_date, environment, data_mode, " ~ dimensions | join(", ") -%}
    with
        usage as (
            select
                usage.*,
                {{ monday_of("usage.event_date") }} as week_start,
                -- calls without a price of which not even the likely cost is known
                case
                    when exposure.exposure_usd_per_token is null then usage.unpriced_attempts else 0
                end as unvalued_attempts
            from {{ ref("int_costed_usage") }} as usage
            left join {{ ref("int_exposure") }} as exposure using (environment, data_mode, provider, model)
            where {{ in_dates("event_date", with_neighbours(weeks, 7, 6)) }}
        ),

        sides as (
            select *, week_start as side_week, true as is_current
            from usage
            union all
            select *, week_start + 7 as side_week, false as is_current
            from usage
        )

    select
        side_week as event_date,
        environment,
        data_mode,
        {{ dimensions | join(", ") }},
        {% for side in ["previous", "current"] %}
            {%- set is_side = ("not " if side == "previous" else "") ~ "is_current" %}
            coalesce(sum(case when {{ is_side }} then requests end), 0) as {{ side }}_requests,
            coalesce(sum(case when {{ is_side }} then attempts end), 0) as {{ side }}_attempts,
            coalesce(sum(case when {{ is_side }} then tokens end), 0) as {{ side }}_tokens,
            coalesce(sum(case when {{ is_side }} then unpriced_attempts end), 0) as {{ side }}_unpriced_attempts,
            coalesce(sum(case when {{ is_side }} then unvalued_attempts end), 0) as {{ side }}_unvalued_attempts,
            cast(coalesce(sum(case when {{ is_side }} then cost_usd end), 0) as decimal(38, 12)) as {{ side }}_cost_usd,
            cast(
                coalesce(sum(case when {{ is_side }} then exposure_usd end), 0) as decimal(38, 12)
            ) as {{ side }}_exposure_usd
            {{- "," if not loop.last }}
        {% endfor %}
    from sides
    where {{ in_dates("side_week", weeks) }}
    group by side_week, environment, data_mode, {{ dimensions | join(", ") }}
{% endmacro %}

{#- Members of a dimension that a week's summary names: what a person reads before the next slide. -#}
{% macro weekly_driver_ranks() %} {{ return(5) }} {% endmacro %}

{#- What should happen next about a problem, the most urgent first; NULL when nothing is left to do. -#}
{% macro next_action() -%}
    case
        when status = 'regressed' and incident_status = 'closed'
        then 'The guardrail did not hold: reopen ' || incident_id || ' and change it'
        when days > 0 and (incident_id is null or incident_status = 'closed')
        then 'Open an incident. ' || containment_action
        when incident_status = 'open'
        then 'Contain it: ' || containment_action
        when incident_id is null and status = 'quiet'
        then 'While it is quiet, make a rule: ' || suggested_guardrail
        when guardrail is null and incident_id is not null
        then 'Turn the manual step into a rule: ' || suggested_guardrail
        when status = 'regressed'
        then 'The guardrail did not hold: change it before ' || incident_id || ' is closed'
        when hardening_missing is not null
        then 'Still missing: ' || hardening_missing
        when incident_status = 'contained'
        then 'Close ' || incident_id
    end
{%- endmacro %}

{#- What changes a week's spend: the effects of the decomposition that are dollars spent. -#}
{% macro weekly_effects() %} {{ return(["volume", "mix", "retry", "token", "price"]) }} {% endmacro %}

{#- A change in words: $1.20 more, $0.30 less. -#}
{% macro more_or_less(column) -%}
    {{ usd_text(column) }} || case when {{ column }} < 0 then ' less' else ' more' end
{%- endmacro %}

{#- A part of a change in words: +$1.20, -$0.30. -#}
{% macro signed_usd_text(column) -%}
    case when {{ column }} < 0 then '-' else '+' end || {{ usd_text(column) }}
{%- endmacro %}

{#- A share in words, to a tenth of a per cent. -#}
{% macro percent_text(column) -%}
    case
        when {{ column }} <> 0 and abs({{ column }}) < 0.0005
        then 'less than 0.1 %'
        else cast(cast(abs({{ column }}) * 100 as decimal(38, 1)) as varchar) || ' %'
    end
{%- endmacro %}

{#- How many items a list has whose items are joined by `; `. -#}
{% macro list_length(column) -%} (length({{ column }}) - length(replace({{ column }}, '; ', ' ')) + 1) {%- endmacro %}

{#- A count with its noun. -#}
{% macro counted(column, noun) -%}
    cast({{ column }} as varchar) || ' {{ noun }}' || case when {{ column }} = 1 then '' else 's' end
{%- endmacro %}

{#- What limits the trust in a week's figures, in sentences. -#}
{% macro quality_sentences(usage) %}
    select
        week_start,
        environment,
        data_mode,
        9 as place,
        'unpriced' as kind,
        'warning' as severity,
        exposure_usd as amount_usd,
        'Calls without a price, in no total: '
        || cast(unpriced_attempts as varchar)
        || ' ('
        || {{ percent_text("unpriced_share") }}
        || '). '
        || coalesce('They likely cost ' || {{ usd_text("exposure_usd") }}, 'What they cost is unknown')
        || '; see unpriced_models.' as sentence
    from {{ usage }}
    where unpriced_attempts > 0

    union all

    select
        week_start,
        environment,
        data_mode,
        10 as place,
        'estimate' as kind,
        'info' as severity,
        estimated_cost_usd as amount_usd,
        {{ percent_text("estimated_share") }} || ' of the spend rests on token counts that are estimates.' as sentence
    from {{ usage }}
    where estimated_share > 0

    union all

    select
        week_start,
        environment,
        data_mode,
        11 as place,
        'quality' as kind,
        case when missing_usage_attempts > 0 or conflicting_deliveries > 0 then 'warning' else 'info' end as severity,
        cast(null as decimal(38, 12)) as amount_usd,
        concat_ws(
            ' ',
            case
                when duplicate_deliveries > 0
                then 'Repeated deliveries that counted once: ' || cast(duplicate_deliveries as varchar) || '.'
            end,
            case
                when conflicting_deliveries > 0
                then
                    cast(conflicting_deliveries as varchar)
                    || ' of them differ from the one that was kept: see delivery_conflicts.'
            end,
            case
                when missing_usage_attempts > 0
                then
                    'Successful calls without token counts, whose cost is unknown: '
                    || cast(missing_usage_attempts as varchar)
                    || '.'
            end
        ) as sentence
    from {{ usage }}
    where duplicate_deliveries > 0 or missing_usage_attempts > 0
{% endmacro %}

{#- What a week cost, what moved it and who, in sentences. -#}
{% macro spend_sentences(usage, drivers) %}
    {%- set week_scope = "week_start, environment, data_mode" %}
    with
        effects as (
            {% for effect, words in {
                "volume": "requests",
                "mix": "endpoints and models used",
                "retry": "retries",
                "token": "tokens per call",
                "price": "dollars per token",
            }.items() %}
                select {{ week_scope }}, change_usd, '{{ words }}' as words, {{ effect }}_usd as effect_usd
                from {{ usage }} {{ "union all" if not loop.last }}
            {% endfor %}
        ),

        largest_effects as (
            select *
            from effects
            where effect_usd <> 0
            qualify row_number() over (partition by {{ week_scope }} order by abs(effect_usd) desc, words) <= 3
        )

    select
        {{ week_scope }},
        1 as place,
        'spend' as kind,
        'info' as severity,
        spend_usd as amount_usd,
        case
            when spend_usd is null
            then 'Nothing that was used has a price: the spend is unknown.'
            when not is_complete
            then 'So far ' || {{ usd_text("spend_usd") }} || ' were spent; the week is not over.'
            when change_usd is null
            then 'Spend was ' || {{ usd_text("spend_usd") }} || '; there is no week before it to compare with.'
            else
                'Spend was '
                || {{ usd_text("spend_usd") }}
                || ', '
                || {{ more_or_less("change_usd") }}
                || coalesce(' (' || {{ percent_text("change_ratio") }} || ')', '')
                || ' than the week before'
                || case
                    when previous_days_with_usage < days_with_usage
                    then ', which had usage on ' || {{ counted("previous_days_with_usage", "day") }} || ' only.'
                    else '.'
                end
        end as sentence
    from {{ usage }}

    union all

    select
        {{ week_scope }},
        2 as place,
        'effect' as kind,
        'info' as severity,
        change_usd as amount_usd,
        'What moved it: '
        || string_agg(words || ' ' || {{ signed_usd_text("effect_usd") }}, ', ' order by abs(effect_usd) desc, words)
        || '.' as sentence
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
        || ' in all.' as sentence
    from {{ drivers }}
    where dimension = 'endpoint' and rank = 1 and change_usd <> 0
{% endmacro %}
