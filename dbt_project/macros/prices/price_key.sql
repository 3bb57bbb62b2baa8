{#- What a price is looked up by, as the manifests record it. -#}
{% macro price_key_columns() %}
    {{ return("provider, model, processing, service_tier, region, price_context") }}
{% endmacro %}

{% macro same_price_key(left, right, also=[]) -%}
    {{ left }}.provider = {{ right }}.provider and {{ left }}.model = {{ right }}.model
    {%- for column in ["processing", "service_tier", "region", "price_context"] %}
        and {{ left }}.{{ column }} is not distinct from {{ right }}.{{ column }}
    {%- endfor %}
    {%- for column in also %} and {{ left }}.{{ column }} = {{ right }}.{{ column }} {%- endfor %}
{%- endmacro %}
