{#- A change in words: $1.20 more, $0.30 less. -#}
{% macro more_or_less(column) -%}
    {{ usd_text(column) }} || case when {{ column }} < 0 then ' less' else ' more' end
{%- endmacro %}

{#- A share in words, to a tenth of a per cent. -#}
{% macro percent_text(column) -%}
    case
        when {{ column }} <> 0 and abs({{ column }}) < 0.0005
        then 'less than 0.1 %'
        else cast(cast(abs({{ column }}) * 100 as decimal(38, 1)) as string) || ' %'
    end
{%- endmacro %}

{#- A count with its noun. -#}
{% macro counted(column, noun) -%}
    cast({{ column }} as string) || ' {{ noun }}' || case when {{ column }} = 1 then '' else 's' end
{%- endmacro %}

{#- Severities as numbers, so that the worst can be found. -#}
{% macro severity_rank(column) -%}
    case {{ column }} when 'critical' then 2 when 'warning' then 1 else 0 end
{%- endmacro %}
