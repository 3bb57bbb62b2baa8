{#- What a budget's scope can be narrowed by: blank is any. -#}
{% macro budget_scopes() %}
    {{
        return(
            [
                {"name": "endpoint", "column": "endpoint_tag"},
                {"name": "feature", "column": "feature_tag"},
                {"name": "tenant", "column": "tenant_id"},
                {"name": "user", "column": "user_id"},
                {"name": "provider", "column": "provider"},
                {"name": "model", "column": "model"},
            ]
        )
    }}
{% endmacro %}

{% macro budget_scope_columns() %} {{ return(budget_scopes() | map(attribute="column") | list) }} {% endmacro %}

{#- Of these, what is told of who spends a budget. -#}
{% macro budget_dimensions() %}
    {{ return(budget_scopes() | selectattr("name", "in", ["endpoint", "tenant", "user", "model"]) | list) }}
{% endmacro %}

{#- Windows by period, in quarter-hours: `recent` for the burn rate, `short` confirmed by `long` for a fast burn, and the
    quiet time after which a spend alert is over. A month's are those of the SRE workbook's burn-rate alerts (1 and 6 hours);
    the others keep their share of the period, as far as quarter-hours let them. -#}
{% macro budget_windows() %}
    {{
        return(
            {
                "day": {"recent": 12, "short": 1, "long": 4, "quiet": 8},
                "week": {"recent": 96, "short": 4, "long": 16, "quiet": 48},
                "month": {"recent": 96, "short": 4, "long": 24, "quiet": 96},
                "quarter": {"recent": 288, "short": 12, "long": 72, "quiet": 288},
            }
        )
    }}
{% endmacro %}

{#- One of the windows above, for the period in `column`. -#}
{% macro budget_window(name, column="period") -%}
    case
        {{ column }}
        {%- for period, windows in budget_windows().items() %}
            when '{{ period }}' then {{ windows[name] }}
        {%- endfor %}
    end
{%- endmacro %}

{#- What is added up over a period beside the spend that it is judged by. -#}
{% macro budget_totals() %}
    {{
        return(
            {
                "attempts": "bigint",
                "estimated_cost_usd": "decimal(38, 12)",
                "unpriced_attempts": "bigint",
                "unvalued_attempts": "bigint",
                "exposure_usd": "decimal(38, 12)",
            }
        )
    }}
{% endmacro %}

{#- Days of its own past that say what a scope usually spends: four of each weekday. -#}
{% macro budget_history_days() %} {{ return(28) }} {% endmacro %}

{#- Days of that past that must exist, or the period is projected evenly. -#}
{% macro budget_least_history_days() %} {{ return(14) }} {% endmacro %}

{#- Longest period before the one at hand, whose rest may be carried over; it is read, so it is part of the fingerprint. -#}
{% macro budget_look_back_days() %} {{ return(93) }} {% endmacro %}

{#- How much of a usual period the pace so far is weighed against: early in a period a busy morning proves little. -#}
{% macro budget_pace_prior() %} {{ return(0.1) }} {% endmacro %}

{#- Whether usage belongs to a budget. -#}
{% macro in_budget(usage, budget) -%}
    ({{ budget }}.environments = '*' or {{ in_words(usage ~ ".environment", budget ~ ".environments") }})
    and {{ in_words(usage ~ ".data_mode", budget ~ ".data_modes") }}
    {%- for column in budget_scope_columns() %}
        and ({{ budget }}.{{ column }} is null or {{ budget }}.{{ column }} = {{ usage }}.{{ column }})
    {%- endfor %}
{%- endmacro %}

{#- Whether a word stands in a list such as `prod staging`. -#}
{% macro in_words(word, words) -%} position(' ' || {{ word }} || ' ' in ' ' || {{ words }} || ' ') > 0 {%- endmacro %}

{#- Usage of some event dates by quarter-hour, as far as budgets ask: what has not happened yet is not spent. -#}
{% macro quarter_hour_usage(dates) %}
    select
        event_date,
        {{ quarter_hour("occurred_at") }} as quarter_at,
        environment,
        data_mode,
        {{ budget_scope_columns() | join(", ") }},
        count(*) as attempts,
        cast(coalesce(sum(cost_usd), 0) as decimal(38, 12)) as cost_usd,
        cast(
            coalesce(sum(case when usage_source = 'estimate' then cost_usd end), 0) as decimal(38, 12)
        ) as estimated_cost_usd,
        cast(sum(case when pricing_status = 'unpriced' then 1 else 0 end) as bigint) as unpriced_attempts,
        cast(
            coalesce(
                sum(
                    case
                        when pricing_status = 'unpriced' then coalesce(input_tokens, 0) + coalesce(output_tokens, 0)
                    end
                ),
                0
            ) as decimal(38, 0)
        ) as unpriced_tokens
    from {{ ref("fct_attempts") }}
    where {{ in_dates("event_date", dates) }} and not is_future
    group by all
{% endmacro %}

{#- Severity of a state, so that states can be compared. -#}
{% macro budget_severity(state) -%}
    case {{ state }} when 'ok' then 0 when 'warning' then 1 when 'spend_alert' then 2 when 'exceeded' then 3 end
{%- endmacro %}

{#- The state that spend alone gives. A limit of zero is exceeded by anything and never warned about. -#}
{% macro budget_state_of_spend(spent_usd, quarters="quarters") -%}
    case
        when {{ spent_usd }} > {{ quarters }}.limit_usd
        then 'exceeded'
        when {{ quarters }}.limit_usd > 0 and {{ spent_usd }} >= {{ quarters }}.warning_usd
        then 'warning'
        else 'ok'
    end
{%- endmacro %}

{#- A budget's spend in the window that ends with a row, from the running sum; a window never reaches into the period before. -#}
{% macro in_window(running, window) -%}
    {{ running }} - lag({{ running }}, {{ budget_window(window) }}, 0) over period_so_far
{%- endmacro %}

{#- The quarter-hours of the periods that begin on `dates`: what was spent in each, what the scope usually spends in it, and
    the limit that holds then. -#}
{% macro budget_quarters(dates) %}
    with
        periods as (select * from {{ ref("int_budget_periods") }} where {{ in_dates("period_start", dates) }}),

        limits as (select * from {{ ref("int_budgets") }}),

        spending as (
            select *
            from {{ ref("int_budget_spending") }}
            where quarter_at >= (select min(starts_at) from periods) - interval {{ budget_look_back_days() }} day
        ),

        -- what the period before left of its own limit; what it had itself been left is not handed on
        carried as (
            select
                periods.budget_id,
                periods.period_start,
                greatest(any_value(limits.limit_usd) - coalesce(sum(spending.cost_usd), 0), 0) as carried_usd
            from periods
            inner join
                {{ ref("int_budget_periods") }} as earlier
                on periods.budget_id = earlier.budget_id
                and periods.period_start = earlier.period_end
            inner join
                limits
                on periods.budget_id = limits.budget_id
                and limits.valid_from_at < earlier.ends_at
                and coalesce(limits.valid_to_at >= earlier.ends_at, true)
            left join
                spending
                on periods.budget_id = spending.budget_id
                and spending.quarter_at >= earlier.starts_at
                and spending.quarter_at < earlier.ends_at
            where periods.carry_over = 'unused'
            group by periods.budget_id, periods.period_start
        ),

        quarters as (
            select *, unnest(generate_series(starts_at, ends_at - interval 15 minute, interval 15 minute)) as quarter_at
            from periods
        ),

        clocked as (
            select
                *,
                {{ local_time("quarter_at", "time_zone") }} as local_at,
                row_number() over (partition by budget_id, period_start order by quarter_at) as number,
                count(*) over (partition by budget_id, period_start) as quarters_in_period
            from quarters
        )

    select
        clocked.* exclude (carry_over),
        coalesce(spending.cost_usd, 0) as quarter_usd,
        coalesce(spending.adjusted_usd, 0) as adjusted_usd,
        coalesce(spending.attempts, 0) as attempts,
        coalesce(spending.estimated_cost_usd, 0) as estimated_cost_usd,
        coalesce(spending.unpriced_attempts, 0) as unpriced_attempts,
        coalesce(spending.unvalued_attempts, 0) as unvalued_attempts,
        coalesce(spending.exposure_usd, 0) as exposure_usd,
        usual.usual_usd is not null as is_usual_known,
        -- without a past, a period is expected to be spent evenly
        coalesce(usual.usual_usd, 1) as usual_usd,
        cast(limits.limit_usd + coalesce(carried.carried_usd, 0) as decimal(38, 12)) as limit_usd,
        -- 26 digits by 12, as the limit's own
        cast(
            limits.warning_usd
            + cast(coalesce(carried.carried_usd, 0) as decimal(26, 12)) * limits.warning_ratio as decimal(38, 12)
        ) as warning_usd,
        limits.* exclude (budget_id, period, time_zone, limit_usd, warning_usd)
    from clocked
    left join spending on clocked.budget_id = spending.budget_id and clocked.quarter_at = spending.quarter_at
    left join
        {{ ref("int_budget_usual") }} as usual
        on clocked.budget_id = usual.budget_id
        and clocked.period_start = usual.event_date
        and extract('isodow' from clocked.local_at) = usual.weekday
        and extract('hour' from clocked.local_at) = usual.hour_of_day
    left join
        limits
        on clocked.budget_id = limits.budget_id
        and clocked.quarter_at >= limits.valid_from_at
        and coalesce(clocked.quarter_at < limits.valid_to_at, true)
    left join carried on clocked.budget_id = carried.budget_id and clocked.period_start = carried.period_start
{% endmacro %}

{#- What each quarter-hour makes of the period so far: projections to its end, and burn rates in three windows. -#}
{% macro budget_burn(quarters) %}
    with
        running as (
            select
                *,
                sum(quarter_usd) over period_so_far as spent_usd,
                sum(usual_usd) over period_so_far as usual_so_far_usd,
                sum(usual_usd) over (partition by budget_id, period_start) as usual_period_usd
            from {{ quarters }}
            window period_so_far as (partition by budget_id, period_start order by number)
        ),

        windows as (
            select
                *,
                cast(spent_usd as double) as spent,
                cast(limit_usd as double) as budget,
                {% for window in ["recent", "short", "long"] %}
                    cast({{ in_window("spent_usd", window) }} as double) as {{ window }}_usd,
                    {{ in_window("usual_so_far_usd", window) }} as {{ window }}_usual_usd,
                {% endfor %}
                least((usual_period_usd - usual_so_far_usd) / usual_period_usd, 1) as share_ahead
            from running
            window period_so_far as (partition by budget_id, period_start order by number)
        )

    select
        *,
        -- the rates at which the limit would last exactly, by the scope's own hours and weekdays
        {% for window in ["recent", "short", "long"] %}
            budget * {{ window }}_usual_usd / usual_period_usd as {{ window }}_even_usd,
        {% endfor %}
        round(spent * quarters_in_period / number, 6) as naive_projection_usd,
        round(
            case
                when is_usual_known
                then
                    spent
                    + usual_period_usd
                    * share_ahead
                    * (spent + {{ budget_pace_prior() }} * usual_period_usd)
                    / (usual_so_far_usd + {{ budget_pace_prior() }} * usual_period_usd)
                else spent * quarters_in_period / number
            end,
            6
        ) as projection_usd
    from windows
{% endmacro %}

{#- What a budget is about, in words. -#}
{% macro budget_scope(budget) -%}
    coalesce(
        nullif(
            concat_ws(
                ', '
                {%- for scope in budget_scopes() %}
                    , '{{ scope.name }} ' || {{ budget }}.{{ scope.column }}
                {%- endfor %}
            ),
            ''
        ),
        'everything'
    )
{%- endmacro %}

{#- The focused view of a budget's period, in the grammar of addresses (docs/alerts.md). -#}
{% macro budget_drill_url(budget) -%}
    {{ text(setting("TOKENTRAIL_BASE_URL", "http://localhost:8080") | trim("/") ~ "/budget?from=") }}
    || {{ budget }}.period_start
    || '&to='
    || {{ budget }}.period_end
    || case
        when {{ budget }}.environments <> '*'
        then '&environment=' || {{ url_text("replace(" ~ budget ~ ".environments, ' ', ',')") }}
        else ''
    end
    || '&data_mode='
    || {{ url_text("replace(" ~ budget ~ ".data_modes, ' ', ',')") }}
    {%- for scope in budget_scopes() %}
        || coalesce('&{{ scope.name }}=' || {{ url_text(budget ~ "." ~ scope.column) }}, '')
    {%- endfor %}
    || '&budget='
    || {{ url_text(budget ~ ".budget_id") }}
{%- endmacro %}
