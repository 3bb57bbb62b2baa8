{#- At the end of a run of Dagster: what tables hold now, in files, for the run's events. They are read while dbt writes the
    warehouse out, which takes seconds, and nobody else may open it until then. -#}
{% macro save_what_tables_hold() %}
    {%- set folder = setting("TOKENTRAIL_TABLES_FOLDER") -%}
    {%- if not (execute and folder) -%} {{ return("") }} {%- endif -%}
    {%- set listed -%}
        select table_schema, table_name
        from information_schema.tables
        where
            table_catalog = current_database()
            and table_type = 'BASE TABLE'
            and table_schema in ('intermediate', 'marts')
        order by 1, 2
    {%- endset -%}
    {%- set counts = {} -%}
    {%- for schema, name in run_query(listed) -%}
        {%- do counts.update(
            {name: "select " ~ text(name) ~ " as table_name, count(*) as held from " ~ schema ~ "." ~ name}
        ) -%}
    {%- endfor -%}
    {%- if "data_quality_daily" not in counts or "source_freshness" not in counts -%} {{ return("") }} {%- endif -%}
    {%- set tables -%}
        select
            counted.table_name,
            any_value(counted.held) as held,
            (select max(last_event_at) from marts.source_freshness where data_mode = 'real') as reach,
            count(built.event_date) > 0 as is_kept_by_date,
            list(cast(built.event_date as string) order by built.event_date) filter (
                where built.built_at >= {{ text(run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f")) }}
            ) as rebuilt
        from ({{ counts.values() | join(" union all ") }}) as counted
        left join {{ built() }} as built on counted.table_name = built.model
        group by counted.table_name
    {%- endset -%}
    {%- set totals -%}
        select
            data_mode,
            environment,
            sum(attempts) as attempts,
            cast(sum(cost_usd) as string) as cost_usd,
            sum(unpriced_attempts) as unpriced_attempts,
            round(
                sum(unpriced_attempts) / nullif(sum(priced_attempts + unpriced_attempts), 0), 6
            ) as unpriced_share
        from marts.data_quality_daily
        where attempts > 0
        group by data_mode, environment
        order by data_mode, environment
    {%- endset -%}
    {{ saved(tables, folder ~ "/tables.parquet") }}
    ;
    {{ saved(totals, folder ~ "/totals.parquet") }}
{% endmacro %}
