{#- How much a week's summary names. All are counts, for one reason: as much as a person reads at a glance. -#}
{#- Members of each dimension in weekly_drivers. -#}
{% macro weekly_driver_ranks() %} {{ return(5) }} {% endmacro %}

{#- Endpoints in the one line of weekly_summary.top_drivers. -#}
{% macro weekly_named_endpoints() %} {{ return(3) }} {% endmacro %}

{#- Effects in the sentence on what changed a week's spend. -#}
{% macro weekly_named_effects() %} {{ return(3) }} {% endmacro %}
