-- Names in the team's files that usage never had, with the nearest one that it had:
-- a budget about such a name is never exceeded, and a rule never applies. Before the
-- first usage nothing is missing.
{#- Jaro-Winkler: `prodution` and `prod` have 0.89, `search` and `support` 0.62. -#}
{%- set alike = 0.75 %}
with
    seen as (select * from {{ ref("int_seen_names") }}),

    unseen as (
        select names.*
        from {{ ref("stg_team_names") }} as names
        left join seen on names.kind = seen.kind and names.name = seen.name
        where seen.name is null and exists (select 1 from {{ ref("int_quality_daily") }})
    ),

    compared as (
        select
            unseen.*,
            seen.name as nearest_name,
            {{ name_similarity("lower(unseen.name)", "lower(seen.name)") }} as similarity
        from unseen
        left join seen on unseen.kind = seen.kind and seen.name <> '(unattributed)'
    ),

    nearest as (
        select *
        from compared
        qualify
            row_number() over (
                partition by file, line_number, column_name, name
                order by similarity desc nulls last, nearest_name nulls last
            )
            = 1
    )

select
    file,
    line_number,
    row_key,
    column_name,
    kind,
    name,
    case when similarity >= {{ alike }} then nearest_name end as nearest_name,
    file
    || ' line '
    || line_number
    || ' ('
    || row_key
    || '): '
    || column_name
    || ' names the '
    || replace(kind, '_', ' ')
    || ' '
    || name
    || ', which no call has'
    || case when similarity >= {{ alike }} then ': did you mean ' || nearest_name || '?' else '.' end as sentence
from nearest
