{#- The token kinds (and the two fees) in their published order: the same list as pricing/units.py (a test compares them). `quantity` is the fact's
    column of disjoint counts. A kind that is `what_is_left` of an inclusive count is unknown where that is; `may_fall_back`
    is one that price lists may leave out, so that it takes its parent's rate; most attempts have nothing but `everyday` ones. -#}
{% macro token_kinds() %}
    {%- set fees = ["web_searches", "billed_requests"] -%}
    {%- set everyday = [
        "uncached_input",
        "cached_input",
        "cache_write_5m",
        "text_output",
        "reasoning",
        "billed_requests",
    ] -%}
    {%- set kinds = [] -%}
    {%- for name in [
        "uncached_input",
        "cached_input",
        "cache_write_5m",
        "cache_write_1h",
        "uncached_audio",
        "cached_audio",
        "uncached_image",
        "cached_image",
        "input_video",
        "text_output",
        "reasoning",
        "output_audio",
        "output_image",
        "output_video",
        "web_searches",
        "billed_requests",
    ] -%}
        {%- do kinds.append(
            {
                "name": name,
                "quantity": name if name in fees else name ~ "_tokens",
                "is_what_is_left": name in ["uncached_input", "text_output"],
                "may_fall_back": name not in fees + ["uncached_input", "text_output"],
                "is_everyday": name in everyday,
            }
        ) -%}
    {%- endfor -%}
    {{ return(kinds) }}
{% endmacro %}

{#- Registry units under `usage` that are parts of a token kind's unit: their tokens are counted, and priced, there. -#}
{% macro other_parts_of(kind) %}
    {%- set parts = [] -%}
    {%- for unit, of in other_units().items() if kind in of -%} {%- do parts.append(unit) -%} {%- endfor -%}
    {{ return(parts) }}
{% endmacro %}

{#- The same table as Leaf.parts in pricing/units.py (a test compares them), unit by unit. -#}
{% macro other_units() %}
    {%- set units = {"cache_video_read_tokens": ["uncached_input", "cached_input", "input_video"]} -%}
    {%- for medium, kind in [("audio", "uncached_audio"), ("image", "uncached_image"), ("video", "input_video")] -%}
        {%- for unit, of in {
            "cache_" ~ medium ~ "_write_tokens": ["uncached_input", "cache_write_5m", kind],
            "cache_" ~ medium ~ "_write_5m_tokens": ["uncached_input", "cache_write_5m", kind],
            "cache_" ~ medium ~ "_write_1h_tokens": ["uncached_input", "cache_write_1h", kind],
            "input_" ~ medium ~ "_tool_tokens": ["uncached_input", kind],
            "output_" ~ medium ~ "_reasoning_tokens": ["text_output", "reasoning", "output_" ~ medium],
            "output_" ~ medium ~ "_citation_tokens": ["text_output", "output_" ~ medium],
        }.items() -%}
            {%- do units.update({unit: of}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- do units.update({"input_tool_tokens": ["uncached_input"], "output_citation_tokens": ["text_output"]}) -%}
    {{ return(units) }}
{% endmacro %}
