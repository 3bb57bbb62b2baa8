{#- How much a week's summary names. Counts, and the reason is the same: what a person reads before the next slide. -#}
{#- Members of each dimension in weekly_drivers. -#}
{% macro weekly_driver_ranks() %} {{ return(5) }} {% endmacro %}

{#- Endpoints in the one line of weekly_summary.top_drivers. -#}
{% macro weekly_named_endpoints() %} {{ return(3) }} {% endmacro %}

{#- Effects in the sentence on what moved a week's spend. -#}
{% macro weekly_named_effects() %} {{ return(3) }} {% endmacro %}
