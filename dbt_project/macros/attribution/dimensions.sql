{#- What usage is broken down by, in the order in which combinations are named. -#}
{% macro leaf_dimensions() %}
    {{
        return(
            [
                {"name": "endpoint", "column": "endpoint_tag"},
                {"name": "prompt_version", "column": "prompt_version"},
                {"name": "tenant", "column": "tenant_id"},
                {"name": "user", "column": "user_id"},
                {"name": "model", "column": "model"},
            ]
        )
    }}
{% endmacro %}
