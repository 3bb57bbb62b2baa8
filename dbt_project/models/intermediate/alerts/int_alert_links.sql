{{ config(materialized="view") }}
-- Where to look next, with every filter: the focused view (docs/alerts.md has the
-- grammar of addresses), and a query to paste for the calls behind the alert, largest
-- cost first.
{%- set base_url = setting("TOKENTRAIL_BASE_URL", "http://localhost:8080") | trim("/") %}
{#- a value as an SQL literal inside of the query that a reader will run -#}
{%- set literal = {} %}
{%- for column in ["environment", "data_mode"] + leaf_dimensions() | map(attribute="column") | list %}
    {%- do literal.update({column: "'''' || replace(" ~ column ~ ", '''', '''''') || ''''"}) %}
{%- endfor %}
select
    alert_id,
    {{ text(base_url ~ "/alert?from=") }}
    || onset_date
    || '&to='
    || (onset_date + 1)
    || '&baseline_from='
    || baseline_from
    || '&baseline_to='
    || baseline_to
    || '&environment='
    || {{ url_text("environment") }}
    || '&data_mode='
    || {{ url_text("data_mode") }}
    {%- for dimension in leaf_dimensions() %}
        || coalesce('&{{ dimension.name }}=' || {{ url_text(dimension.column) }}, '')
    {%- endfor %}
    || '&alert='
    || alert_id as drill_url,
    'select occurred_at, endpoint_tag, prompt_version, tenant_id, user_id, model, status, input_tokens, output_tokens, cost_usd, pricing_status '
    || 'from marts.fct_attempts where event_date = date '''
    || onset_date
    || ''' and environment = '
    || {{ literal.environment }}
    || ' and data_mode = '
    || {{ literal.data_mode }}
    {%- for dimension in leaf_dimensions() %}
        || coalesce(' and {{ dimension.column }} = ' || {{ literal[dimension.column] }}, '')
    {%- endfor %}
    || ' order by cost_usd desc nulls first limit 50' as drill_query
from {{ ref("int_alerts") }}
