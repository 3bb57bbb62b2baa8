{#- The one incremental mechanism. A table remembers which input fingerprint each model's date was built from, dates without
    rows included. Dates that differ are forgotten and rebuilt whole, inside one transaction. Late files, withdrawn files,
    new prices, changed code and idle re-runs all follow from these lines. -#}
{% macro built() %}
    {{ return(api.Relation.create(database=target.database or none, schema="tokentrail", identifier="built")) }}
{% endmacro %}

{% macro create_memory_of_built_dates() %}
    {%- do limit_threads() -%}
    create schema if not exists {{ built().without_identifier() }};
    create table if not exists {{ built() }} (model string, event_date date, input_fingerprint string, built_at timestamp);
    -- what the integrity tests have passed: a date stays under test until a run passes
    -- them all and is published
    create table if not exists {{ built().incorporate(path={"identifier": "verified"}) }} (
        model string, event_date date, input_fingerprint string, built_at timestamp
    );
{% endmacro %}

{#- What a model's dates are built from now. The model that it names in `kept_by_date` has one row per event date with the
    fingerprint of the input; the code is part of what a date is built from. -#}
{% macro current_fingerprints(name) %}
    {%- set days = model_node(model_node(name).config.meta.days) -%}
    select event_date, md5(input_fingerprint || '{{ code_fingerprint(model_node(name)) }}') as input_fingerprint
    from {{ api.Relation.create(database=target.database or none, schema=days.schema, identifier=days.alias) }}
{% endmacro %}

{#- Dates to rebuild, ascending: those whose fingerprint differs from the one this model was built from, gone dates included;
    all of them in a first build or a full refresh. A model and its materialization mean the same dates, so they are asked
    for once. -#}
{% macro dirty_dates(name=none) %}
    {%- if not execute -%} {{ return([]) }} {%- endif -%}
    {%- set name = name or this.identifier -%}
    {%- if name not in of_this_run("dirty dates") -%}
        {% set differing %}
            select coalesce(input.event_date, built.event_date) as event_date
            from ({{ current_fingerprints(name) }}) as input
            full join (select event_date, input_fingerprint from {{ built() }} where model = '{{ name }}') as built
                on input.event_date = built.event_date
            where {{ "true" if is_first_build(name) else "input.input_fingerprint is distinct from built.input_fingerprint" }}
                or {{ forced_dates("coalesce(input.event_date, built.event_date)") }}
            order by 1
        {% endset %}
        {%- do of_this_run("dirty dates").update({name: run_query(differing).columns[0].values() | list}) -%}
    {%- endif -%}
    {{ return(of_this_run("dirty dates")[name]) }}
{% endmacro %}

{#- What is remembered for the rest of a run, by subject: dbt hands the same graph to every model of an invocation. -#}
{% macro of_this_run(subject) %} {{ return(graph.setdefault(invocation_id ~ " " ~ subject, {})) }} {% endmacro %}

{#- A model that is up to date is left alone: dbt would build, describe and append an empty table, model after model. -#}
{% macro is_up_to_date(name) %}
    {{ return(of_this_run("dirty dates").get(name) == [] and not is_first_build(name)) }}
{% endmacro %}

{#- Where no date stays as it was, the table is created again rather than filled: an upgrade may have given the
    model other columns. -#}
{% macro is_rebuilt_whole(name) %}
    {%- if is_first_build(name) -%} {{ return(false) }} {%- endif -%}
    {%- set kept -%}
        select count(*) from {{ built() }}
        where model = '{{ name }}' and not {{ in_dates("event_date", of_this_run("dirty dates")[name]) }}
    {%- endset -%}
    {{ return(run_query(kept).columns[0].values()[0] == 0) }}
{% endmacro %}

{#- Whether a model has no table yet. It is asked for once: until the model is built, the answer holds. -#}
{% macro is_first_build(name) %}
    {%- set known = of_this_run("first builds") -%}
    {%- if name not in known -%}
        {%- set node = model_node(name) -%}
        {%- set table = api.Relation.create(schema=node.schema, identifier=node.alias) -%}
        {%- do known.update({name: flags.FULL_REFRESH or kind_of_relation(table) != "table"}) -%}
    {%- endif -%}
    {{ return(known[name]) }}
{% endmacro %}

{#- The backfill job names dates to rebuild whatever their fingerprint says. -#}
{% macro forced_dates(column) %}
    {%- set first, last = setting("TOKENTRAIL_REBUILD_FROM"), setting("TOKENTRAIL_REBUILD_TO") -%}
    {%- if not (first and last) -%} {{ return("false") }} {%- endif -%}
    {{ return(column ~ " between date " ~ text(first) ~ " and date " ~ text(last)) }}
{% endmacro %}

{#- Dates are inlined as literals so that partitions prune; a run of days is one range, which prunes where a long list does not.
    `dates` may be runs of days already, as `with_neighbours` gives them. -#}
{% macro in_dates(column, dates) -%}
    {%- set runs = dates if dates and dates[0] is sequence else with_neighbours(dates, 0, 0) -%}
    {%- if runs -%}
        (
            {%- for first, last in runs -%}
                {{ column }} between date '{{ first }}' and date '{{ last }}' {{- " or " if not loop.last }}
            {%- endfor -%}
        )
    {%- else -%} false
    {%- endif -%}
{%- endmacro %}

{#- `dates` and their neighbours, as runs of days: what a model reads that depends on nearby dates. -#}
{% macro with_neighbours(dates, back, ahead) %}
    {%- set runs, day = [], modules.datetime.timedelta(days=1) -%}
    {%- for date in dates | sort -%}
        {%- set first, last = date - back * day, date + ahead * day -%}
        {%- if runs and first <= runs[-1][1] + day -%} {%- do runs.append([runs.pop()[0], last]) -%}
        {%- else -%} {%- do runs.append([first, last]) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(runs) }}
{% endmacro %}

{% macro remembering() -%}
    {%- set dirty = dirty_dates() -%}
    delete from {{ built() }}
    where model = '{{ this.identifier }}' and {{ in_dates("event_date", dirty) }}
    ;
    insert into {{ built() }}
    select '{{ this.identifier }}', event_date, input_fingerprint, {{ now_utc() }}
    from ({{ current_fingerprints(this.identifier) }}) as input
    where {{ in_dates("event_date", dirty) }}
{%- endmacro %}

{#- The configuration of a model that is kept by date and rebuilt where the fingerprint in the model `days` differs: a model that
    begins with this needs no other, and names `days` nowhere else. -#}
{% macro kept_by_date(days) %}
    {%- do ref(days) -%}
    {{
        config(
            materialized="incremental",
            meta={"days": days},
        )
    }}
{% endmacro %}

{% macro model_node(name) %} {{ return(graph.nodes["model." ~ project_name ~ "." ~ name]) }} {% endmacro %}

{#- Hash of what makes a model's rows besides its dates: its own file, every upstream model, the rows of the team's files that these
    read, and the macros of macros/core and of the subjects that they reach. An edit of a weekly sentence rebuilds the weekly models
    and nothing else, and so does a new owner rebuild what shows owners. -#}
{% macro code_fingerprint(node) %}
    {%- set code = {"macros/core": macros_by_subject().core.hash} -%}
    {%- do code.update(code_reached(node.unique_id)) -%}
    {{ return(local_md5(code.items() | sort | string)) }}
{% endmacro %}

{#- Hashes of what a node is made from, upstream included: files of code by node or folder of macros, tables of the team by source.
    Each node is asked for once in a run: models share most of what is upstream. -#}
{% macro code_reached(unique_id) %}
    {%- set known = of_this_run("code reached") -%}
    {%- if unique_id not in known -%}
        {%- set node, folders = graph.nodes[unique_id], macros_by_subject() -%}
        {%- set folder_of_macro = of_this_run("folders by macro") -%}
        {%- set found = {unique_id: node.checksum.checksum} -%}
        {%- for macro in node.depends_on.macros -%}
            {%- for reached in folder_of_macro.get(macro, {}).reaches or [] -%}
                {%- do found.update({"macros/" ~ reached: folders[reached].hash}) -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- for parent in node.depends_on.nodes if parent in graph.nodes -%}
            {%- do found.update(known[parent] if parent in known else code_reached(parent)) -%}
        {%- endfor -%}
        {%- for parent in node.depends_on.nodes if parent in graph.sources -%}
            {%- set source = graph.sources[parent] -%}
            {%- if source.source_name == "team" -%}
                {%- do found.update({parent: team_table_hash(source.name)}) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- do known.update({unique_id: found}) -%}
    {%- endif -%}
    {{ return(known[unique_id]) }}
{% endmacro %}

{#- Hash of the rows of one of the team's files, in whatever order; none before the first run. -#}
{% macro team_table_hash(name) %}
    {{ return(hash_of_rows(parquet_files([team_file(name)])) if file_exists(team_file(name)) else "") }}
{% endmacro %}

{#- By folder of macros/: the hash of its code, the ids of its macros, and the folders that these reach, their own
    included. dbt does not say here which macro calls which, so calls are found by reading the code
    (tests/test_dbt_house.py holds the answer against dbt's own manifest). -#}
{% macro macros_by_subject() %}
    {%- set known = of_this_run("macros by subject") -%}
    {%- if not known -%}
        {%- set subjects, calls, prefix = {}, {}, "macro." ~ project_name ~ "." -%}
        {%- for subject, code in macro_code().items() -%}
            {%- set defined = modules.re.findall("macro (\\w+)", code) | map("replace", "", prefix, 1) | list -%}
            {%- set called = modules.re.findall("(\\w+)\\(", code) | unique | map("replace", "", prefix, 1) | list -%}
            {%- do calls.update({subject: called}) -%}
            {%- do subjects.update(
                {subject: {"hash": local_md5(code), "names": defined, "reaches": {subject: true}}}
            ) -%}
        {%- endfor -%}
        {%- set direct = {} -%}
        {%- for subject in subjects -%}
            {%- set called, reached = set(calls[subject]), [] -%}
            {%- for other in subjects.values() if not called.isdisjoint(other.names) -%}
                {%- do reached.append(other) -%}
            {%- endfor -%}
            {%- do direct.update({subject: reached}) -%}
        {%- endfor -%}
        {%- for _ in subjects -%}
            {%- for subject in subjects -%}
                {%- for other in direct[subject] -%}
                    {%- do subjects[subject].reaches.update(other.reaches) -%}
                {%- endfor -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- for folder in subjects.values() -%}
            {%- for name in folder.names -%}
                {%- do of_this_run("folders by macro").update({name: folder}) -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- do known.update(subjects) -%}
    {%- endif -%}
    {{ return(known) }}
{% endmacro %}
