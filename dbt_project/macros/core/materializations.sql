{#- dbt's incremental materialization for a model that has dates to rebuild. -#}
{% materialization incremental, adapter = "duckdb" %}
    {%- if is_up_to_date(this.identifier) -%}
        {%- call noop_statement("main", "UP TO DATE", "UP TO DATE", 0) -%} {%- endcall -%}
        {{ return({"relations": [this.incorporate(type="table")]}) }}
    {%- endif -%}
    {%- if is_rebuilt_whole(this.identifier) -%}
        {%- do adapter.drop_relation(adapter.get_relation(this.database, this.schema, this.identifier)) -%}
        {%- do of_this_run("first builds").update({this.identifier: true}) -%}
    {%- endif -%}
    {{ return(dbt.materialization_incremental_duckdb()) }}
{% endmaterialization %}

{#- Tables and views are replaced in one transaction. dbt builds them under another name, renames twice and drops, in statements
    and macros that take a quarter of an idle run. -#}
{% materialization table, adapter = "duckdb" %} {{ return(replaced("table")) }} {% endmaterialization %}

{% materialization view, adapter = "duckdb" %} {{ return(replaced("view")) }} {% endmaterialization %}

{% macro replaced(type) %}
    {%- set former, target = load_cached_relation(this), this.incorporate(type=type) -%}
    {{ run_hooks(pre_hooks) }}
    {%- call statement("main") -%}
        {%- if former -%} drop {{ former.type }} {{ former }}
            ;
        {%- endif -%}
        {{
            (
                create_view_as(target, compiled_code)
                if type == "view"
                else create_table_as(false, target, compiled_code)
            )
        }}
    {%- endcall -%}
    {{ run_hooks(post_hooks) }}
    {%- do adapter.commit() -%}
    {{ return({"relations": [target]}) }}
{% endmacro %}
