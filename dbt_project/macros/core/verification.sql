{#- Integrity tests look at the dates that no published run has verified yet: a day costs the same however long the history is, and a
    failure is not forgotten, because a date stays under test until a run passes every test and publishes. `dbt test` by hand tests
    every date. -#}
{#- The dates of one or several models that are still to be verified. A test that compares models asks once, for all
    of them: a model may have been rebuilt while another was not (the hourly job builds what budgets need), and a
    date of one side alone would look like rows that the other one lost. -#}
{% macro unverified_dates(names) %}
    {%- if not execute -%} {{ return([]) }} {%- endif -%}
    {%- set quoted = [] -%}
    {%- for name in ([names] if names is string else names) -%} {%- do quoted.append(text(name)) -%} {%- endfor -%}
    {% set pending %}
        select distinct built.event_date
        from {{ built() }} as built
        left join {{ built().incorporate(path={"identifier": "verified"}) }} as verified
            on built.model = verified.model
            and built.event_date = verified.event_date
            and built.input_fingerprint = verified.input_fingerprint
            and built.built_at = verified.built_at
        where
            built.model in ({{ quoted | join(", ") }})
            and {{ "true" if flags.WHICH == "test" else "verified.model is null" }}
        order by 1
    {% endset %}
    {{ return(run_query(pending).columns[0].values() | list) }}
{% endmacro %}

{#- The rows of a model on `dates`, or on those of its own that are still to be verified. -#}
{% macro to_verify(name, dates=none) -%}
    (
        select *
        from {{ ref(name) }}
        where {{ in_dates("event_date", unverified_dates(name) if dates is none else dates) }}
    )
{%- endmacro %}

{#- dbt calls this for the rows that a generic test on a model reads. -#}
{% macro default__get_where_subquery(relation) -%}
    {%- set name = relation.identifier -%}
    {%- set node = graph.nodes.get("model." ~ project_name ~ "." ~ name) if execute -%}
    {%- if node and node.config.materialized == "incremental" -%}
        {{
            return(
                "(select * from "
                ~ relation
                ~ " where "
                ~ in_dates("event_date", unverified_dates(name))
                ~ ") as dbt_subquery"
            )
        }}
    {%- endif -%}
    {{ return(relation) }}
{%- endmacro %}
