{{ config(meta={"dagster": {"ref": {"name": "fct_attempts"}}}) }}
-- Fails if the token kinds of an attempt are not exactly its inclusive counts: then a
-- token is priced twice or not at all.
select attempt_key, input_tokens, output_tokens
from {{ to_verify("fct_attempts") }} as fact
where
    other_usage is null
    and (
        {%- for kind in token_kinds() if kind.is_what_is_left %}
            {{ kind.count }} <> {{ kind.quantity }} {%- for part in kind.parts %} + {{ part }} {%- endfor %} or
        {%- endfor %}
        least(
            {%- for kind in token_kinds() %}coalesce({{ kind.quantity }}, 0) {{- "," if not loop.last }} {%- endfor %}
        )
        < 0
    )
