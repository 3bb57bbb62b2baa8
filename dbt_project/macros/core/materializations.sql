{#- dbt's incremental materialization for a model that has dates to rebuild. -#}
{% materialization incremental, adapter = "duckdb" %}
    {%- if is_up_to_date(this.identifier) -%}
        {%- call noop_statement("main", "UP TO DATE", "UP TO DATE", 0) -%} {%- endcall -%}
        {{ return({"relations": [this.incorporate(type="table")]}) }}
    {%- endif -%}
    {%- if is_rebuilt_whole(this.identifier) -%}
        {%- do adapter.drop_relation(adapter.get_relation(this.database, this.schema, this.identifier)) -%}
    {%- endif -%}
    {{ return(dbt.materialization_incremental_duckdb()) }}
{% endmaterialization %}
