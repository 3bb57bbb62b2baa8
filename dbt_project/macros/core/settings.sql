{#- Settings reach the models from the environment (orchestration/settings.py). They are read only while a model runs,
    so that a new value, such as the instant of the run, does not make dbt parse the project again. -#}
{% macro setting(name, default="") %} {{ return(env_var(name, default) if execute else default) }} {% endmacro %}

{% macro data_root() %} {{ return(setting("TOKENTRAIL_DATA", "../data")) }} {% endmacro %}

{% macro as_of() %}
    {%- set instant = setting("TOKENTRAIL_AS_OF", run_started_at.strftime("%Y-%m-%dT%H:%M:%S")) -%}
    {{ return("timestamp " ~ text(instant | replace("+00:00", ""))) }}
{% endmacro %}

{#- The last quarter-hour that had begun before the instant of the run, which is as far as budgets are judged. -#}
{% macro quarter_before_as_of() %}
    {%- set instant = modules.datetime.datetime.fromisoformat(as_of().split("'")[1]) -%}
    {%- set before = instant - modules.datetime.timedelta(microseconds=1) -%}
    {%- set quarter = before.replace(minute=before.minute // 15 * 15, second=0, microsecond=0) -%}
    {{ return("timestamp " ~ text(quarter)) }}
{% endmacro %}

{% macro identity_window_days() %} {{ return(setting("TOKENTRAIL_IDENTITY_WINDOW_DAYS", "1") | int) }} {% endmacro %}

{#- A value as an SQL text literal. -#}
{% macro text(value) %} {{ return("'" ~ (value | string | replace("'", "''")) ~ "'") }} {% endmacro %}

{#- Schemas are named for what they hold, the same for everybody: marts, not main_marts. -#}
{% macro generate_schema_name(custom_schema_name, node) %}
    {{ return((custom_schema_name or target.schema) | trim) }}
{% endmacro %}

{% macro lateness_hours() %} {{ return(setting("TOKENTRAIL_LATENESS_HOURS", "6") | int) }} {% endmacro %}

{#- DuckDB uses every core unless a setting limits it. -#}
{% macro limit_threads() %}
    {%- set threads = setting("TOKENTRAIL_THREADS", "0") | int -%}
    {%- if execute and threads > 0 -%} {%- do run_query("set threads = " ~ threads) -%} {%- endif -%}
{% endmacro %}
