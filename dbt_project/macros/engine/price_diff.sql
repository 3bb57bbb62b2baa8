{#- For `make price-diff` (orchestration/prices/diff.py): what the last of two versions in a trial ledger would move in the published fact, written to a
    Parquet file. It runs in a database of its own, so it neither waits for the pipeline nor stops it. -#}
{% macro price_diff(published, target) %} {{ return(adapter.dispatch("price_diff")(published, target)) }} {% endmacro %}
{% macro default__price_diff(published, target) %} {{ missing_leaf("price_diff") }} {% endmacro %}
{% macro duckdb__price_diff(published, target) %}
    {%- do run_query("attach " ~ text(published) ~ " as published (read_only)") -%}
    {%- do run_query("create or replace table history as select * from " ~ price_book_history()) -%}
    {%- do run_query("create or replace table book as " ~ joinable_prices("history")) -%}
    {%- do run_query("create or replace table changes as " ~ price_changes("history")) -%}
    {%- set moved = moved_by_price_changes("published.marts.fct_attempts", "changes", "book") -%}
    {%- do run_query("create or replace table moved as " ~ moved) -%}
    {%- set by_month = price_changes_by_month("changes", "moved") -%}
    {%- do run_query("copy (" ~ by_month ~ ") to " ~ text(target) ~ " (format parquet)") -%}
{% endmacro %}
