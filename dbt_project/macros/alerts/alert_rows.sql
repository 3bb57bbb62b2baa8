{#- A word of a sender as a part of a name that joins its parts by `|`; the other parts have none, or come last. -#}
{% macro name_part(column) -%} replace(replace({{ column }}, '%', '%25'), '|', '%7C') {%- endmacro %}

{#- The same in every run: what is behind it, and on which day it began. -#}
{% macro alert_id(episode) -%}
    left(
        md5(
            concat_ws(
                '|',
                {{ name_part(episode ~ ".environment") }},
                {{ episode }}.data_mode,
                {{ episode }}.spike_type,
                {{ episode }}.anchor,
                {{ episode }}.onset_date
            )
        ),
        16
    )
{%- endmacro %}
