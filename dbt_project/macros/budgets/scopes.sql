{#- What a budget's scope can be narrowed by; blank means any. -#}
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

{#- Of these, the dimensions whose members are shown as the spenders of a budget. -#}
{% macro budget_dimensions() %}
    {{ return(budget_scopes() | selectattr("name", "in", ["endpoint", "tenant", "user", "model"]) | list) }}
{% endmacro %}

{#- Whether usage belongs to a budget. -#}
{% macro in_budget(usage, budget) -%}
    ({{ budget }}.environments = '*' or {{ in_words(usage ~ ".environment", budget ~ ".environments") }})
    and {{ in_words(usage ~ ".data_mode", budget ~ ".data_modes") }}
    {%- for column in budget_scope_columns() %}
        and ({{ budget }}.{{ column }} is null or {{ budget }}.{{ column }} = {{ usage }}.{{ column }})
    {%- endfor %}
{%- endmacro %}

{#- Whether a word is in a list such as `prod staging`. -#}
{% macro in_words(word, words) -%} position(' ' || {{ word }} || ' ' in ' ' || {{ words }} || ' ') > 0 {%- endmacro %}

{#- Usage of some event dates by quarter-hour, as budgets need it: what has not happened yet is not spent. -#}
{% macro quarter_hour_usage(dates) %}
    select
        event_date,
        {{ quarter_hour("occurred_at") }} as quarter_at,
        source,
        environment,
        data_mode,
        {{ budget_scope_columns() | join(", ") }},
        count(*) as attempts,
        cast(coalesce(sum(cost_usd), 0) as decimal(38, 12)) as cost_usd,
        cast(
            coalesce(sum(case when usage_source = 'estimate' then cost_usd end), 0) as decimal(38, 12)
        ) as estimated_cost_usd,
        cast(sum(case when pricing_status = 'unpriced' then 1 else 0 end) as bigint) as unpriced_attempts,
        -- another number when a sender corrects a count of any token kind
        cast(
            coalesce(
                sum(
                    {%- for kind in token_kinds() %}
                        {{ "+ " if not loop.first }}{{ loop.index }} * coalesce({{ kind.quantity }}, 0)
                    {%- endfor %}
                ),
                0
            ) as decimal(38, 0)
        ) as usage_checksum
    from {{ ref("fct_attempts") }}
    where {{ in_dates("event_date", dates) }} and not is_future
    group by all
{% endmacro %}

{#- A budget's scope, in words. -#}
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
