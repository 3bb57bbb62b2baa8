{#- What differs between engines, one macro each. A missing leaf is an error that names it, never a silent guess. -#}
{% macro parquet_files(files, by_event_date=false, filename=none) %}
    {{ return(adapter.dispatch("parquet_files")(files, by_event_date, filename)) }}
{% endmacro %}
{% macro default__parquet_files(files, by_event_date, filename) %} {{ missing_leaf("parquet_files") }} {% endmacro %}
{% macro duckdb__parquet_files(files, by_event_date, filename) %}
    {%- set names = [] -%}
    {%- for file in files -%} {%- do names.append(text(file)) -%} {%- endfor -%}
    {%- set partitions = (
        "hive_partitioning = true, hive_types = {'event_date': date}"
        if by_event_date
        else "hive_partitioning = false"
    ) -%}
    {{
        return(
            "read_parquet([" ~ names
            | join(", ")
            ~ "], union_by_name = "
            ~ (not by_event_date)
            ~ ", "
            ~ partitions
            ~ (", filename = " ~ text(filename) if filename else "")
            ~ ")"
        )
    }}
{% endmacro %}

{#- The column names of each Parquet file, by file. -#}
{% macro columns_of_files(files) %} {{ return(adapter.dispatch("columns_of_files")(files)) }} {% endmacro %}
{% macro default__columns_of_files(files) %} {{ missing_leaf("columns_of_files") }} {% endmacro %}
{% macro duckdb__columns_of_files(files) %}
    {%- set names = [] -%}
    {%- for file in files -%} {%- do names.append(text(file)) -%} {%- endfor -%}
    {%- set listed -%}
        select file_name, string_agg(name, ' ' order by name)
        from parquet_schema([{{ names | join(", ") }}])
        where num_children is null
        group by file_name
    {%- endset -%}
    {%- set columns = {} -%}
    {%- for row in run_query(listed).rows -%} {%- do columns.update({row[0]: row[1].split(" ")}) -%} {%- endfor -%}
    {{ return(columns) }}
{% endmacro %}

{#- A statement that writes the rows of a query into a Parquet file. -#}
{% macro saved(query, file) %} {{ return(adapter.dispatch("saved")(query, file)) }} {% endmacro %}
{% macro default__saved(query, file) %} {{ missing_leaf("saved") }} {% endmacro %}
{% macro duckdb__saved(query, file) %}
    {{ return("copy (" ~ query ~ ") to " ~ text(file) ~ " (format parquet)") }}
{% endmacro %}

{#- Name of the folder that a file is in. -#}
{% macro folder_of(path) %} {{ return(adapter.dispatch("folder_of")(path)) }} {% endmacro %}
{% macro default__folder_of(path) %} {{ missing_leaf("folder_of") }} {% endmacro %}
{% macro duckdb__folder_of(path) %} {{ return("split_part(" ~ path ~ ", '/', -2)") }} {% endmacro %}

{#- Lines of a JSONL file, with columns as they are found or as `columns` declares them by name. -#}
{% macro json_lines(file, columns=none) %} {{ return(adapter.dispatch("json_lines")(file, columns)) }} {% endmacro %}
{% macro default__json_lines(file, columns) %} {{ missing_leaf("json_lines") }} {% endmacro %}
{% macro duckdb__json_lines(file, columns) %}
    {%- set declared = [] -%}
    {%- for name, type in (columns or {}).items() -%}
        {%- do declared.append(name ~ ": " ~ text(type)) -%}
    {%- endfor -%}
    {{
        return(
            "read_json("
            ~ text(file)
            ~ ", format = 'newline_delimited', ignore_errors = true"
            ~ (", columns = {" ~ declared | join(", ") ~ "}" if declared else "")
            ~ ")"
        )
    }}
{% endmacro %}

{#- A hash of the rows of a relation, in whatever order. -#}
{% macro hash_of_rows(relation) %} {{ return(adapter.dispatch("hash_of_rows")(relation)) }} {% endmacro %}
{% macro default__hash_of_rows(relation) %} {{ missing_leaf("hash_of_rows") }} {% endmacro %}
{% macro duckdb__hash_of_rows(relation) %}
    {%- set hashed -%}
        select md5(coalesce(string_agg(text, ',' order by text), ''))
        from (select cast(found as varchar) as text from {{ relation }} as found)
    {%- endset -%}
    {{ return(run_query(hashed).columns[0].values()[0]) }}
{% endmacro %}

{% macro file_exists(path) %} {{ return(adapter.dispatch("file_exists")(path)) }} {% endmacro %}
{% macro default__file_exists(path) %} {{ missing_leaf("file_exists") }} {% endmacro %}
{% macro duckdb__file_exists(path) %}
    {{ return(run_query("select count(*) from glob(" ~ text(path) ~ ")").columns[0].values()[0] > 0) }}
{% endmacro %}

{% macro json_text(column, key) %} {{ return(adapter.dispatch("json_text")(column, key)) }} {% endmacro %}
{% macro default__json_text(column, key) %} {{ missing_leaf("json_text") }} {% endmacro %}
{% macro duckdb__json_text(column, key) %}
    {{ return("json_extract_string(" ~ column ~ ", '$." ~ key ~ "')") }}
{% endmacro %}

{#- A row for each element of a list. -#}
{% macro each_of(list) %} {{ return(adapter.dispatch("each_of")(list)) }} {% endmacro %}
{% macro default__each_of(list) %} {{ missing_leaf("each_of") }} {% endmacro %}
{% macro duckdb__each_of(list) %} {{ return("unnest(" ~ list ~ ")") }} {% endmacro %}

{#- The value of a key in a map, NULL where there is none; and a row for each entry of a map. -#}
{% macro value_of(map, key) %} {{ return(adapter.dispatch("value_of")(map, key)) }} {% endmacro %}
{% macro default__value_of(map, key) %} {{ missing_leaf("value_of") }} {% endmacro %}
{% macro duckdb__value_of(map, key) %} {{ return(map ~ "[" ~ key ~ "]") }} {% endmacro %}

{% macro each_entry_of(map, key, value) %}
    {{ return(adapter.dispatch("each_entry_of")(map, key, value)) }}
{% endmacro %}
{% macro default__each_entry_of(map, key, value) %} {{ missing_leaf("each_entry_of") }} {% endmacro %}
{% macro duckdb__each_entry_of(map, key, value) %}
    {{ return("unnest(map_keys(" ~ map ~ ")) as " ~ key ~ ", unnest(map_values(" ~ map ~ ")) as " ~ value) }}
{% endmacro %}

{#- A row of a relation as a JSON object, without what is NULL. -#}
{% macro row_as_json(alias) %} {{ return(adapter.dispatch("row_as_json")(alias)) }} {% endmacro %}
{% macro default__row_as_json(alias) %} {{ missing_leaf("row_as_json") }} {% endmacro %}
{% macro duckdb__row_as_json(alias) %}
    {{ return("cast(json_merge_patch('{}', to_json(" ~ alias ~ ")) as varchar)") }}
{% endmacro %}

{% macro second_of_day(column) %} {{ return(adapter.dispatch("second_of_day")(column)) }} {% endmacro %}
{% macro default__second_of_day(column) %} {{ missing_leaf("second_of_day") }} {% endmacro %}
{% macro duckdb__second_of_day(column) %}
    {{
        return(
            "(extract(hour from "
            ~ column
            ~ ") * 3600 + extract(minute from "
            ~ column
            ~ ") * 60 + extract(second from "
            ~ column
            ~ "))"
        )
    }}
{% endmacro %}

{#- Tokens of `units` that a JSON object of other usage holds, summed; the object's names are data and may be anything. -#}
{% macro other_units_sum(column, units) %}
    {{ return(adapter.dispatch("other_units_sum")(column, units)) }}
{% endmacro %}
{% macro default__other_units_sum(column, units) %} {{ missing_leaf("other_units_sum") }} {% endmacro %}
{% macro duckdb__other_units_sum(column, units) %}
    {%- set terms = [] -%}
    {%- for unit in units -%}
        {%- do terms.append("coalesce(cast(json_extract_string(" ~ column ~ ", '$." ~ unit ~ "') as bigint), 0)") -%}
    {%- endfor -%}
    {{ return("(case when " ~ column ~ " is null then 0 else " ~ terms | join(" + ") ~ " end)") }}
{% endmacro %}

{#- USD of the other units in `usage` at the unit prices in `prices` (both JSON objects); NULL where a used unit has no price. -#}
{% macro other_units_cost(usage, prices) %}
    {{ return(adapter.dispatch("other_units_cost")(usage, prices)) }}
{% endmacro %}
{% macro default__other_units_cost(usage, prices) %} {{ missing_leaf("other_units_cost") }} {% endmacro %}
{#- A count has 13 digits and 3 places, a price 5 and 18: one digit more than a product of 38 holds. From 10^12
    units on, a price has the room of 4 digits; a unit that costs 10,000 dollars and is used that often has no known
    cost. -#}
{% macro duckdb__other_units_cost(usage, prices) -%}
    {%- set counts = "map_entries(cast(cast(" ~ usage ~ " as json) as map(varchar, decimal(16, 3))))" -%}
    {%- set price = "cast(cast(" ~ prices ~ " as json) as map(varchar, decimal(23, 18)))[used.key]" -%}
    case
        when {{ usage }} is null
        then cast(0 as decimal(38, 12))
        when
            len(
                list_filter(
                    {{ counts }},
                    used -> used.value > 0
                    and coalesce(
                        case
                            when used.value < 1000000000000
                            then {{ price }}
                            else try_cast({{ price }} as decimal(22, 18))
                        end,
                        -1
                    )
                    < 0
                )
            )
            > 0
        then null
        else
            cast(
                coalesce(
                    list_sum(
                        list_transform(
                            {{ counts }},
                            used -> case
                                when used.value < 1000000000000
                                then
                                    cast(
                                        cast(used.value as decimal(15, 3)) * coalesce({{ price }}, 0) as decimal(38, 12)
                                    )
                                else
                                    cast(
                                        used.value
                                        * coalesce(try_cast({{ price }} as decimal(22, 18)), 0) as decimal(38, 12)
                                    )
                            end
                        )
                    ),
                    0
                ) as decimal(38, 12)
            )
    end
{%- endmacro %}

{#- A value as a type, or NULL where the type does not hold it. -#}
{% macro cast_or_null(value, type) %} {{ return(adapter.dispatch("cast_or_null")(value, type)) }} {% endmacro %}
{% macro default__cast_or_null(value, type) %} {{ missing_leaf("cast_or_null") }} {% endmacro %}
{% macro duckdb__cast_or_null(value, type) %} {{ return("try_cast(" ~ value ~ " as " ~ type ~ ")") }} {% endmacro %}

{% macro text_list(column) %} {{ return(adapter.dispatch("text_list")(column)) }} {% endmacro %}
{% macro default__text_list(column) %} {{ missing_leaf("text_list") }} {% endmacro %}
{% macro duckdb__text_list(column) %} {{ return("array_to_string(" ~ column ~ ", ', ')") }} {% endmacro %}

{% macro in_text_list(value, column) %} {{ return(adapter.dispatch("in_text_list")(value, column)) }} {% endmacro %}
{% macro default__in_text_list(value, column) %} {{ missing_leaf("in_text_list") }} {% endmacro %}
{% macro duckdb__in_text_list(value, column) %}
    {{ return("list_contains(" ~ column ~ ", " ~ value ~ ")") }}
{% endmacro %}

{#- A value as it is written in a URL. -#}
{% macro url_text(column) %} {{ return(adapter.dispatch("url_text")(column)) }} {% endmacro %}
{% macro default__url_text(column) %} {{ missing_leaf("url_text") }} {% endmacro %}
{% macro duckdb__url_text(column) %} {{ return("url_encode(" ~ column ~ ")") }} {% endmacro %}

{#- When a row was built, to the microsecond: a date that is built twice within a second was built twice. Provenance only, left
    out of every comparison of rows. -#}
{% macro now_utc() %}
    {{
        return(
            "cast("
            ~ text(modules.datetime.datetime.now(modules.pytz.utc).strftime("%Y-%m-%d %H:%M:%S.%f"))
            ~ " as timestamp)"
        )
    }}
{% endmacro %}

{#- How similar two names are, from 0 to 1, the same beginning counting more (Jaro-Winkler). -#}
{% macro name_similarity(left, right) %} {{ return(adapter.dispatch("name_similarity")(left, right)) }} {% endmacro %}
{% macro default__name_similarity(left, right) %} {{ missing_leaf("name_similarity") }} {% endmacro %}
{% macro duckdb__name_similarity(left, right) %}
    {{ return("jaro_winkler_similarity(" ~ left ~ ", " ~ right ~ ")") }}
{% endmacro %}

{#- The code of the macros, by folder of macros/. -#}
{% macro macro_code() %} {{ return(adapter.dispatch("macro_code")()) }} {% endmacro %}
{% macro default__macro_code() %} {{ missing_leaf("macro_code") }} {% endmacro %}
{% macro duckdb__macro_code() %}
    {#- dbt works in the project's folder; flags.PROJECT_DIR is empty, and a pattern that matches no file is not an error -#}
    {%- set read -%}
        select split_part(filename, '/', -2) as subject, string_agg(content, '' order by filename) as code
        from read_text('macros/*/*.sql') group by subject order by subject
    {%- endset -%}
    {%- set code = {} -%}
    {%- for subject, text in run_query(read).rows -%} {%- do code.update({subject: text}) -%} {%- endfor -%}
    {%- if not code -%}
        {{
            exceptions.raise_compiler_error(
                "No macros found below the working directory: run dbt in the project's folder."
            )
        }}
    {%- endif -%}
    {{ return(code) }}
{% endmacro %}

{% macro missing_leaf(name) %}
    {{
        exceptions.raise_compiler_error(
            "macros/core has no `" ~ name ~ "` for " ~ target.type ~ ": add " ~ target.type ~ "__" ~ name ~ "."
        )
    }}
{% endmacro %}

{#- The quarter-hour that an instant falls into; every zone's offset is a number of them. -#}
{% macro quarter_hour(column) %} {{ return(adapter.dispatch("quarter_hour")(column)) }} {% endmacro %}
{% macro default__quarter_hour(column) %} {{ missing_leaf("quarter_hour") }} {% endmacro %}
{% macro duckdb__quarter_hour(column) %} {{ return("time_bucket(interval 15 minute, " ~ column ~ ")") }} {% endmacro %}

{#- A UTC timestamp as the clocks of an IANA zone show it, and back: the earliest instant at which they show this time or a later
    one. So a day whose midnight comes twice begins with the first, and one that has none with its first instant, and days tile time. -#}
{% macro local_time(column, zone) %} {{ return(adapter.dispatch("local_time")(column, zone)) }} {% endmacro %}
{% macro default__local_time(column, zone) %} {{ missing_leaf("local_time") }} {% endmacro %}
{% macro duckdb__local_time(column, zone) %}
    {{ return("timezone(" ~ zone ~ ", timezone('UTC', " ~ column ~ "))") }}
{% endmacro %}

{% macro utc_time(column, zone) %} {{ return(adapter.dispatch("utc_time")(column, zone)) }} {% endmacro %}
{% macro default__utc_time(column, zone) %} {{ missing_leaf("utc_time") }} {% endmacro %}
{#- DuckDB takes the later of two. Only near a change of the clocks are the quarter-hours of two days looked at one by one. -#}
{% macro duckdb__utc_time(column, zone) %}
    {%- set instant = "timezone('UTC', timezone(" ~ zone ~ ", " ~ column ~ "))" -%}
    {%- set before, after = "(" ~ instant ~ " - interval 1 day)", "(" ~ instant ~ " + interval 1 day)" -%}
    {{
        return(
            "case when "
            ~ local_time(before, zone)
            ~ " + interval 2 day = "
            ~ local_time(after, zone)
            ~ " then "
            ~ instant
            ~ " else list_min(list_filter(generate_series("
            ~ before
            ~ ", "
            ~ after
            ~ ", interval 15 minute), lambda moment: "
            ~ local_time("moment", zone)
            ~ " >= "
            ~ column
            ~ ")) end"
        )
    }}
{% endmacro %}

{#- The length of a calendar period named in a column. -#}
{% macro period_interval(column) %} {{ return(adapter.dispatch("period_interval")(column)) }} {% endmacro %}
{% macro default__period_interval(column) %} {{ missing_leaf("period_interval") }} {% endmacro %}
{% macro duckdb__period_interval(column) %}
    {{
        return(
            "case "
            ~ column
            ~ " when 'day' then interval 1 day when 'week' then interval 7 day when 'month' then interval 1 month"
            ~ " when 'quarter' then interval 3 month end"
        )
    }}
{% endmacro %}

{#- The ISO week of a date as people write it: 2026-W53 ends on 3 January 2027. -#}
{% macro iso_week(column) %} {{ return(adapter.dispatch("iso_week")(column)) }} {% endmacro %}
{% macro default__iso_week(column) %} {{ missing_leaf("iso_week") }} {% endmacro %}
{% macro duckdb__iso_week(column) %} {{ return("strftime(" ~ column ~ ", '%G-W%V')") }} {% endmacro %}

{#- US dollars inside a sentence, rounded half up to cents: $1,234.50. -#}
{% macro usd_text(column) %} {{ return(adapter.dispatch("usd_text")(column)) }} {% endmacro %}
{% macro default__usd_text(column) %} {{ missing_leaf("usd_text") }} {% endmacro %}
{% macro duckdb__usd_text(column) -%}
    case
        when {{ column }} <> 0 and abs({{ column }}) < 0.005
        then 'less than $0.01'
        else '$' || format('{:,.2f}', cast(cast(abs({{ column }}) as decimal(38, 2)) as double))
    end
{%- endmacro %}

{#- The integer nearest to a double; of two equally near, the even one. -#}
{% macro nearest_integer(value) %} {{ return(adapter.dispatch("nearest_integer")(value)) }} {% endmacro %}
{% macro default__nearest_integer(value) %} {{ missing_leaf("nearest_integer") }} {% endmacro %}
{% macro duckdb__nearest_integer(value) %} {{ return("cast(round_even(" ~ value ~ ", 0) as integer)") }} {% endmacro %}

{#- The calendar weeks (their Mondays) from one date to another. -#}
{% macro mondays_between(first, last) %} {{ return(adapter.dispatch("mondays_between")(first, last)) }} {% endmacro %}
{% macro default__mondays_between(first, last) %} {{ missing_leaf("mondays_between") }} {% endmacro %}
{% macro duckdb__mondays_between(first, last) %}
    {{
        return(
            "unnest(generate_series(date_trunc('week', "
            ~ first
            ~ "), date_trunc('week', "
            ~ last
            ~ "), interval 7 day))"
        )
    }}
{% endmacro %}
