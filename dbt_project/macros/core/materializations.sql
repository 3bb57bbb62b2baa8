{#- dbt's own materializations build under another name or into a temporary table, describe both, rename and drop: statements and
    macros that take a quarter of a run. Here each is one statement in one transaction. -#}
{% materialization table, adapter = "duckdb" %} {{ return(made_by(replacing("table"))) }} {% endmaterialization %}

{% materialization view, adapter = "duckdb" %} {{ return(made_by(replacing("view"))) }} {% endmaterialization %}

{#- A model that is kept by date (`kept_by_date`): dates that differ are deleted, filled and remembered. -#}
{% materialization incremental, adapter = "duckdb" %}
    {%- set name = this.identifier -%}
    {%- if is_up_to_date(name) -%}
        {%- call noop_statement("main", "UP TO DATE", "UP TO DATE", 0) -%} {%- endcall -%}
        {{ return({"relations": [this.incorporate(type="table")]}) }}
    {%- endif -%}
    {%- set whole = is_first_build(name) or is_rebuilt_whole(name) -%}
    {{ return(made_by((replacing("table") if whole else filling()) ~ ";" ~ remembering())) }}
{% endmaterialization %}

{% macro made_by(sql) %}
    {%- call statement("main") -%} {{ sql }} {%- endcall -%}
    {%- do adapter.commit() -%}
    {{ return({"relations": [this.incorporate(type="view" if model.config.materialized == "view" else "table")]}) }}
{% endmacro %}

{% macro replacing(type) %}
    {%- set target, former = this.incorporate(type=type), kind_of_relation(this) -%}
    {%- if former -%} drop {{ former }} {{ target }}
        ;
    {%- endif -%}
    {{ (create_view_as(target, compiled_code) if type == "view" else create_table_as(false, target, compiled_code)) }}
{% endmacro %}

{#- `table`, `view` or none: what there was under this name when the run began, asked for all models at once. dbt would look through
    all that there is for each of them. -#}
{% macro kind_of_relation(relation) %}
    {%- set kinds = of_this_run("kinds of relations") -%}
    {%- if not kinds -%}
        {% set present %}
            select table_schema || '.' || table_name, case when table_type = 'VIEW' then 'view' else 'table' end
            from information_schema.tables
            where table_catalog = current_database()
        {% endset %}
        {%- set found = {"": none} -%}
        {%- for name, kind in run_query(present) -%} {%- do found.update({name: kind}) -%} {%- endfor -%}
        {%- do kinds.update(found) -%}
    {%- endif -%}
    {{ return(kinds.get(relation.schema ~ "." ~ relation.identifier)) }}
{% endmacro %}

{% macro filling() %}
    delete from {{ this }}
    where {{ in_dates("event_date", dirty_dates()) }}
    ;
    insert into {{ this }} by name {{ compiled_code }}
{% endmacro %}
