{#- What a cost is the sum of, for comparisons: each token kind and fee, and `other`, which is the rest. `side`: input or output;
    fees and the rest, which a call needs for its answer, are output. `base`: what an input kind would be without a cache: of
    kinds with one base, the cache decides the shares. -#}
{% macro priced_kinds() %}
    {%- set kinds = [] -%}
    {%- for kind in token_kinds() -%}
        {%- set is_input = kind.whole == "uncached_input" -%}
        {%- do kinds.append(
            {
                "name": kind.name,
                "side": "input" if is_input else "output",
                "base": kind.uncached or kind.name,
                "is_cache_read": kind.cache == "read",
                "is_fee": kind.is_fee,
                "units": "case when pricing_status = 'priced' then " ~ kind.quantity ~ " end",
            }
        ) -%}
    {%- endfor -%}
    {%- do kinds.append(
        {
            "name": "other",
            "side": "output",
            "base": "other",
            "is_cache_read": false,
            "is_fee": true,
            "units": "case when other_cost_usd <> 0 then 1 end",
        }
    ) -%}
    {{ return(kinds) }}
{% endmacro %}
