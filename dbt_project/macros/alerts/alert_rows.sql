{#- A sender's value as one part of a name whose parts are joined by `|`; the other parts contain none, or come
    last. -#}
{% macro name_part(column) -%} replace(replace({{ column }}, '%', '%25'), '|', '%7C') {%- endmacro %}

{#- The same in every run: made of the problem and of the day on which it began. -#}
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

{#- What one figure of a side is of another: a figure of its own. -#}
{% macro ratio_of(side, parts) -%}
    cast(
        cast({{ side }}_{{ parts[0] }} as double)
        / nullif(cast({{ side }}_{{ parts[1] }} as double), 0) as decimal(38, 12)
    )
{%- endmacro %}
