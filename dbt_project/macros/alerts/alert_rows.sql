{#- Quiet complete days after which an alert is over: a weekend and a day. -#}
{% macro quiet_days() %} {{ return(3) }} {% endmacro %}

{#- Alerted days in a row after which the new level is the level. -#}
{% macro level_shift_days() %} {{ return(7) }} {% endmacro %}

{#- A word of a sender as a part of a name that joins its parts by `|`; the other parts have none, or come last. -#}
{% macro name_part(column) -%} replace(replace({{ column }}, '%', '%25'), '|', '%7C') {%- endmacro %}

{#- The same in every run: what is behind it, and on which day it began. -#}
{% macro alert_id(episode) -%}
    left(
        md5(
            concat_ws(
                '|',
                {{ name_part(episode ~ ".environment") }},
                {{ episode }}.data_mode,
                {{ episode }}.spike_type,
                {{ episode }}.anchor,
                {{ episode }}.onset_date
            )
        ),
        16
    )
{%- endmacro %}

{#- What makes two alerts the same problem: its spike type and what is behind it, which is also what joins days to one alert. The words of a
    driver, the rule that spoke and the figures vary from time to time and are left out (docs/incidents.md has examples). -#}
{% macro problem_id(alert) -%}
    left(
        md5(
            concat_ws(
                '|',
                {{ name_part(alert ~ ".environment") }},
                {{ alert }}.data_mode,
                {{ alert }}.spike_type,
                {{ alert }}.anchor_dimension,
                {{ alert }}.anchor
            )
        ),
        16
    )
{%- endmacro %}

{#- A drift that one identity carries is its concentration. -#}
{% macro alert_type(problem) -%}
    case
        when {{ problem }}.alert_type = 'cost_drift' and {{ problem }}.spike_type = 'abuse'
        then 'user_concentration'
        when {{ problem }}.alert_type = 'cost_drift' and {{ problem }}.spike_type = 'concentration'
        then 'tenant_concentration'
        else {{ problem }}.alert_type
    end
{%- endmacro %}

{#- By dollars (a share of a usual day, and four times the least that is worth a word) and certainty; what moved (nearly) nothing is for information. -#}
{% macro severity(alert) -%}
    case
        when
            {{ alert }}.delta_usd <= 0
            or ({{ alert }}.alert_type = 'new_model' and {{ alert }}.round = 0)
            or {{ alert }}.delta_usd < {{ alert }}.min_usd
        then 'info'
        when
            {{ alert }}.z >= 5
            and {{ alert }}.delta_usd >= 4 * {{ alert }}.min_usd
            and cast({{ alert }}.delta_usd as double)
            >= {{ alert }}.critical_share_of_spend * {{ alert }}.usual_spend_usd
        then 'critical'
        else 'warning'
    end
{%- endmacro %}

{#- Up to two other spike types that the evidence leaves open, likeliest first. -#}
{% macro alternate_types(alert) -%}
    nullif(
        concat_ws(
            ', ',
            case
                when {{ alert }}.spike_type = 'deploy'
                then 'token'
                when {{ alert }}.spike_type in ('abuse', 'concentration')
                then 'volume'
            end,
            case
                when {{ alert }}.spike_type = 'price_mix' and {{ alert }}.related like '%new_model%'
                then 'new_model'
                when {{ alert }}.spike_type = 'unknown_model'
                then 'price_mix'
                when {{ alert }}.spike_type = 'retry'
                then 'volume'
                when {{ alert }}.spike_type = 'token'
                then 'retry'
            end
        ),
        ''
    )
{%- endmacro %}

{#- The focused view of an alert, every filter kept: the grammar of addresses in docs/alerts.md. -#}
{% macro drill_url(alert) -%}
    {{ text(setting("TOKENTRAIL_BASE_URL", "http://localhost:8080") | trim("/") ~ "/alert?from=") }}
    || {{ alert }}.onset_date
    || '&to='
    || ({{ alert }}.onset_date + 1)
    || '&baseline_from='
    || {{ alert }}.baseline_from
    || '&baseline_to='
    || {{ alert }}.baseline_to
    || '&environment='
    || {{ url_text(alert ~ ".environment") }}
    || '&data_mode='
    || {{ url_text(alert ~ ".data_mode") }}
    {%- for dimension in leaf_dimensions() %}
        || coalesce('&{{ dimension.name }}=' || {{ url_text(alert ~ "." ~ dimension.column) }}, '')
    {%- endfor %}
    || '&alert='
    || {{ alert }}.alert_id
{%- endmacro %}

{#- A query to paste: the dearest calls behind the alert. -#}
{% macro drill_query(alert) -%}
    'select occurred_at, endpoint_tag, prompt_version, tenant_id, user_id, model, status, input_tokens, output_tokens, cost_usd, pricing_status '
    || 'from fct_attempts where event_date = date '''
    || {{ alert }}.onset_date
    || ''' and environment = '
    || {{ sql_text(alert ~ ".environment") }}
    || ' and data_mode = '
    || {{ sql_text(alert ~ ".data_mode") }}
    {%- for dimension in leaf_dimensions() %}
        || coalesce(
            ' and coalesce({{ dimension.column }}, ''(unattributed)'') = '
            || {{ sql_text(alert ~ "." ~ dimension.column) }},
            ''
        )
    {%- endfor %}
    || ' order by cost_usd desc nulls first limit 50'
{%- endmacro %}

{#- A value of a column as an SQL literal inside a query that a reader will run. -#}
{% macro sql_text(column) -%} '''' || replace({{ column }}, '''', '''''') || '''' {%- endmacro %}

{#- Members of each dimension that a focused view lists. -#}
{% macro focus_members() %} {{ return(20) }} {% endmacro %}
