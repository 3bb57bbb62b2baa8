{#- Our own generic tests; each returns the rows that break the promise. -#}
{#- Fails if two rows share a key: then a join fanned out, or something is counted twice. -#}
{% test unique_key(model, columns) %}
    select {{ columns | join(", ") }}, count(*) as rows_with_this_key
    from {{ model }}
    group by {{ columns | join(", ") }}
    having count(*) > 1
{% endtest %}

{#- Fails if any of the columns is NULL in a row: then a key, a count or a dimension was lost. -#}
{% test never_null(model, columns) %}
    select {{ columns | join(", ") }}
    from {{ model }}
    where {% for column in columns %} {{ column }} is null{{ " or " if not loop.last }}{% endfor %}
{% endtest %}

{#- Fails if an expression that must hold for every row does not; NULL counts as holding, as SQL's unknown does. -#}
{% test identity(model, expression) %} select * from {{ model }} where not ({{ expression }}) {% endtest %}

{#- Fails if two half-open intervals of one key overlap in every direction given: then one request would have two prices. -#}
{% test disjoint_intervals(model, key, intervals) %}
    with numbered as (select *, row_number() over (order by {{ key | join(", ") }}) as row_id from {{ model }})

    select one.row_id
    from numbered as one
    inner join
        numbered as other on one.row_id < other.row_id
        {%- for column in key %} and one.{{ column }} is not distinct from other.{{ column }}{% endfor %}
    where
        {% for from_column, to_column in intervals -%}
            (
                one.{{ from_column }} is null
                or other.{{ to_column }} is null
                or one.{{ from_column }} < other.{{ to_column }}
            )
            and (
                other.{{ from_column }} is null
                or one.{{ to_column }} is null
                or other.{{ from_column }} < one.{{ to_column }}
            )
            {{- " and " if not loop.last }}
        {% endfor %}
{% endtest %}
