{#- Readers list files from the manifests and never glob: data without a manifest does not exist. -#}
{% macro manifests() %}
    {%- set files = data_root() ~ "/raw/_loads/*.parquet" -%}
    (
        with every_manifest as (select * from {{ parquet_files([files]) }})
        select * exclude (supersedes)
        from every_manifest
        where load_id not in (select unnest(supersedes) from every_manifest where supersedes is not null)
    )
{% endmacro %}

{#- Whether rows of a source are usage: they make event dates, attempts and price keys. Of the others, incidents are about usage, invoices about its cost;
    a source with a mapping, the team's own included, has usage. -#}
{% macro is_usage(source_column="source") %}
    {{ return(source_column ~ " not in ('incidents', 'invoices')") }}
{% endmacro %}

{#- Rows of all usage in the raw zone, in one shape, whatever their source. -#}
{% macro raw_usage() %}
    {{ return(files_in_manifests("raw_file", is_usage(), "events", by_event_date=true)) }}
{% endmacro %}

{#- Whether anything of a gateway or tracer was loaded: only these write spans around calls. -#}
{% macro has_mapped_sources() %}
    {%- if not execute -%} {{ return(false) }} {%- endif -%}
    {%- set known = of_this_run("mapped sources") -%}
    {%- if "any" not in known -%}
        {%- set found = run_query(
            "select count(*) from "
            ~ manifests()
            ~ " where source not in ('events', 'incidents', 'invoices') and raw_file is not null"
        ) -%}
        {%- do known.update({"any": found.columns[0].values()[0] > 0}) -%}
    {%- endif -%}
    {{ return(known["any"]) }}
{% endmacro %}

{#- Raw rows of gateways and tracers, of calls and of spans around them. -#}
{% macro raw_spans() %}
    {%- if not has_mapped_sources() -%} {{ return(no_rows_of("events")) }} {%- endif -%}
    {{
        return(
            files_in_manifests(
                "raw_file", "source not in ('events', 'incidents', 'invoices')", "events", by_event_date=true
            )
        )
    }}
{% endmacro %}

{#- Rows of a source in the raw zone. -#}
{% macro raw_rows(source_name) %}
    {{ return(files_in_manifests("raw_file", "source = " ~ text(source_name), source_name, by_event_date=true)) }}
{% endmacro %}

{#- The files that manifests name in a column, as one relation; before the first load an empty one with the declared types. -#}
{% macro files_in_manifests(column, condition, declared_as, by_event_date) %}
    {%- if not execute -%} {{ return(no_rows_of(declared_as)) }} {%- endif -%}
    {%- set named -%}
        select distinct {{ column }} from {{ manifests() }} where {{ condition }} and {{ column }} is not null order by 1
    {%- endset -%}
    {%- set files = [] -%}
    {%- for file in run_query(named).columns[0].values() -%}
        {%- do files.append(data_root() ~ "/raw/" ~ file) -%}
    {%- endfor -%}
    {%- if not files -%} {{ return(no_rows_of(declared_as)) }} {%- endif -%}
    {%- if by_event_date -%} {{ return(files_of_any_release(files, declared_as)) }} {%- endif -%}
    {#- the empty table has the columns that files of an earlier release lack -#}
    {{ return(parquet_files(files + [data_root() ~ "/raw/_schema/" ~ declared_as ~ ".parquet"])) }}
{% endmacro %}

{#- Files by event date as one relation with every declared column. A file of an earlier release may lack some, which are NULL there.
    No file has fewer than the release had that made the zone, and left an empty table of them: mostly that one is looked at. -#}
{% macro files_of_any_release(files, declared_as) %}
    {%- set declared = declared_columns(declared_as) | rejectattr("name", "equalto", "event_date") | list -%}
    {%- set names = declared | map(attribute="name") | list -%}
    {%- set first = data_root() ~ "/raw/_schema/" ~ declared_as ~ ".parquet" -%}
    {%- if file_exists(first) and not names | reject("in", columns_of_files([first])[first]) | list -%}
        {{ return(parquet_files(files, by_event_date=true)) }}
    {%- endif -%}
    {%- set columns, alike, relations = columns_of_files(files), {}, [] -%}
    {%- for file in files -%} {%- do alike.setdefault(columns[file] | join(" "), []).append(file) -%} {%- endfor -%}
    {%- for group in alike.values() -%}
        {%- set selected = ["event_date"] -%}
        {%- for column in declared -%}
            {%- set is_there = column.name in columns[group[0]] -%}
            {%- do selected.append(
                column.name if is_there else "cast(null as " ~ column.data_type ~ ") as " ~ column.name
            ) -%}
        {%- endfor -%}
        {%- do relations.append(
            "select " ~ selected | join(", ") ~ " from " ~ parquet_files(group, by_event_date=true)
        ) -%}
    {%- endfor -%}
    {{ return("(" ~ relations | join(" union all ") ~ ")") }}
{% endmacro %}

{% macro declared_columns(source_name) %}
    {{ return(graph.sources["source." ~ project_name ~ ".raw." ~ source_name].columns.values()) }}
{% endmacro %}

{#- An empty relation with the columns that a raw source declares. -#}
{% macro no_rows_of(source_name) %}
    (
        select
            {%- if execute -%}
                {%- for column in declared_columns(source_name) %}
                    cast(null as {{ column.data_type }}) as {{ column.name }} {{- "," if not loop.last }}
                {%- endfor -%}
            {%- endif %}
        where false
    )
{% endmacro %}

{#- Files of the price book versions that took effect, or of the last of them. A folder that versions.jsonl does not
    list was left by a run that died. -#}
{% macro price_book_files(last_only=false) %}
    {%- set book = data_root() ~ "/ledger/price_book/" -%}
    {%- if not execute -%} {{ return([book ~ "*/*.parquet"]) }} {%- endif -%}
    {%- set listed -%}
        select price_book_version from {{ json_lines(book ~ "versions.jsonl") }}
        where price_book_version is not null order by recorded_at
    {%- endset -%}
    {%- set files = [] -%}
    {%- for version in run_query(listed).columns[0].values() -%}
        {%- do files.append(book ~ version ~ "/*.parquet") -%}
    {%- endfor -%}
    {{ return(files[-1:] if last_only else files | unique | list) }}
{% endmacro %}

{#- A JSONL file of the ledger with declared columns; where it does not exist, an empty
    relation. -#}
{% macro ledger_lines(file, columns) %}
    {%- if ledger_has(file) -%} {{ return(json_lines(data_root() ~ "/ledger/" ~ file, columns)) }} {%- endif -%}
    (
        select
            {% for name, type in columns.items() %}
                cast(null as {{ type }}) as {{ name }} {{- "," if not loop.last }}
            {% endfor %}
        where false
    )
{% endmacro %}

{#- Whether a file of the ledger exists: it is created with its first line. -#}
{% macro ledger_has(file) %} {{ return(execute and file_exists(data_root() ~ "/ledger/" ~ file)) }} {% endmacro %}

{#- The table of one of the team's files. Every run writes it before dbt starts. -#}
{% macro team_table(name) %}
    {%- do source("team", name) -%}
    {%- set file = team_file(name) -%}
    {%- if execute and not file_exists(file) -%}
        {{ exceptions.raise_compiler_error(file ~ " does not exist: `make run` writes it.") }}
    {%- endif -%}
    {{ return(parquet_files([file])) }}
{% endmacro %}

{% macro team_file(name) %} {{ return(data_root() ~ "/state/team/" ~ name ~ ".parquet") }} {% endmacro %}
