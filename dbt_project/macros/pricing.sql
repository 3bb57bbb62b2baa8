{#- The leaves in their published order: the same list as pricing/units.py (a test compares them). Each names the fact's token column
    and the cost part it belongs to. -#}
{% macro leaves() %}
    {{
        return(
            [
                {
                    "name": "uncached_input",
                    "quantity": "uncached_input_tokens",
                    "part": "input",
                    "may_be_unknown": true,
                },
                {"name": "cached_input", "quantity": "cached_input_tokens", "part": "cache_read"},
                {"name": "cache_write_5m", "quantity": "cache_write_5m_tokens", "part": "cache_write"},
                {"name": "cache_write_1h", "quantity": "cache_write_1h_tokens", "part": "cache_write"},
                {"name": "input_audio", "quantity": "uncached_audio_tokens", "part": "audio"},
                {"name": "cached_audio", "quantity": "cached_audio_tokens", "part": "audio"},
                {"name": "input_image", "quantity": "uncached_image_tokens", "part": "image"},
                {"name": "cached_image", "quantity": "cached_image_tokens", "part": "image"},
                {"name": "input_video", "quantity": "input_video_tokens", "part": "video"},
                {"name": "output_text", "quantity": "text_output_tokens", "part": "output", "may_be_unknown": true},
                {"name": "reasoning", "quantity": "reasoning_tokens", "part": "reasoning"},
                {"name": "output_audio", "quantity": "output_audio_tokens", "part": "audio"},
                {"name": "output_image", "quantity": "output_image_tokens", "part": "image"},
                {"name": "output_video", "quantity": "output_video_tokens", "part": "video"},
                {"name": "web_searches", "quantity": "web_searches", "part": "fee"},
                {"name": "requests", "quantity": "billed_requests", "part": "fee"},
            ]
        )
    }}
{% endmacro %}

{#- Registry units that are parts of the inclusive counts but have no leaf column of their own: they arrive under `usage`,
    are taken out of the text remainder, and are priced as `other`. -#}
{% macro other_input_token_units() %}
    {{
        return(
            [
                "cache_audio_write_tokens",
                "cache_image_write_tokens",
                "cache_video_read_tokens",
                "cache_video_write_tokens",
                "input_tool_tokens",
            ]
        )
    }}
{% endmacro %}

{% macro other_output_token_units() %} {{ return(["output_citation_tokens"]) }} {% endmacro %}

{% macro cost_parts() %} {{ return(leaves() | map(attribute="part") | unique | list) }} {% endmacro %}

{#- USD of one leaf: cast(tokens * price as decimal(38, 12)). Nothing used costs nothing; something used without a price has
    no known cost. A remainder that the sender left out (an embedding has no output) costs nothing only where the model has no
    price for it. The short price gives the same product without the dear rounding. -#}
{% macro leaf_cost(leaf) -%}
    case
        when
            {{ leaf.quantity }} = 0
            {% if leaf.may_be_unknown %}
                or ({{ leaf.quantity }} is null and {{ leaf.name }}_price_usd is null)
            {% endif %}
        then cast(0 as decimal(38, 12))
        when {{ leaf.name }}_short_price_usd is not null
        then cast(cast({{ leaf.quantity }} as decimal(13, 0)) * {{ leaf.name }}_short_price_usd as decimal(38, 12))
        else cast(cast({{ leaf.quantity }} as decimal(13, 0)) * {{ leaf.name }}_price_usd as decimal(38, 12))
    end
{%- endmacro %}

{% macro same_price_key(left, right) -%}
    {{ left }}.provider = {{ right }}.provider and {{ left }}.model = {{ right }}.model
    {%- for column in ["processing", "service_tier", "region", "price_context"] %}
        and {{ left }}.{{ column }} is not distinct from {{ right }}.{{ column }}
    {%- endfor %}
{%- endmacro %}
