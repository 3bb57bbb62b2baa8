{#- dbt's incremental materialization for a model that has dates to rebuild. -#}
{% materialization incremental, adapter = "duckdb" %}
    {%- if is_up_to_date(this.identifier) -%}
        {%- call noop_statement("main", "UP TO DATE", "UP TO DATE", 0) -%} {%- endcall -%}
        {{ return({"relations": [this.incorporate(type="table")]}) }}
    {%- endif -%}
    {{ return(dbt.materialization_incremental_duckdb()) }}
{% endmaterialization %}
