{#- The price variant that an invoice tells apart: standard unless something else was asked for. -#}
{% macro tier_of(processing, service_tier) -%}
    case
        when {{ processing }} = 'batch'
        then 'batch'
        when lower({{ service_tier }}) in ('flex', 'priority', 'batch', 'scale', 'priority_on_demand', 'flex_discount')
        then lower({{ service_tier }})
        else 'standard'
    end
{%- endmacro %}

{#- What bills call our token kinds, by our name; `other` is what has no column of its own. -#}
{% macro billed_leaves() %}
    {%- set leaves = {} -%}
    {%- set other_names = {
        "uncached_input": "input",
        "cached_input": "cache_read",
        "uncached_audio": "input_audio",
        "cached_audio": "cache_audio_read",
        "uncached_image": "input_image",
        "cached_image": "cache_image_read",
        "text_output": "output",
        "billed_requests": "requests",
    } -%}
    {%- for kind in token_kinds() -%}
        {%- do leaves.update({kind.name: other_names.get(kind.name, kind.name)}) -%}
    {%- endfor -%}
    {{ return(leaves) }}
{% endmacro %}

{#- A money amount as a whole number of its last digits, and back: what is divided is a whole number, with a whole rest. -#}
{% macro in_last_digits(amount) -%} {{ adapter.dispatch("in_last_digits")(amount) }} {%- endmacro %}
{% macro default__in_last_digits(amount) -%} {{ missing_leaf("in_last_digits") }} {%- endmacro %}
{% macro duckdb__in_last_digits(amount) -%}
    (
        cast(trunc({{ amount }}) as hugeint) * 1000000000000
        + cast(({{ amount }} - trunc({{ amount }})) * 1000000000000 as hugeint)
    )
{%- endmacro %}

{#- USD of a whole number of last digits. -#}
{% macro from_last_digits(digits) -%} {{ adapter.dispatch("from_last_digits")(digits) }} {%- endmacro %}
{% macro default__from_last_digits(digits) -%} {{ missing_leaf("from_last_digits") }} {%- endmacro %}
{% macro duckdb__from_last_digits(digits) -%}
    cast(cast({{ digits }} as decimal(38, 0)) * cast(0.000000000001 as decimal(13, 12)) as decimal(38, 12))
{%- endmacro %}

{#- The part of a whole number that a weight out of a total has, rounded down, and what the rounding left of it: both exact. Only
    what is below the total is multiplied, so neither product leaves 128 bits while the total has at most 18 digits. -#}
{% macro part_of(whole, weight, total) -%} {{ adapter.dispatch("part_of")(whole, weight, total) }} {%- endmacro %}
{% macro default__part_of(whole, weight, total) -%} {{ missing_leaf("part_of") }} {%- endmacro %}
{% macro duckdb__part_of(whole, weight, total) -%}
    (divide({{ whole }}, {{ total }}) * {{ weight }} + divide({{ whole }} % {{ total }} * {{ weight }}, {{ total }}))
{%- endmacro %}

{#- The key of a cell: what both sides are compared by. -#}
{% macro cell_key(model="model", leaf="leaf", tier="tier", date="cell_date") -%}
    md5(
        concat_ws(
            '|',
            vendor,
            account,
            cast(billing_month as string),
            coalesce(cast({{ date }} as string), ''),
            coalesce({{ model }}, ''),
            coalesce({{ leaf }}, ''),
            coalesce({{ tier }}, '')
        )
    )
{%- endmacro %}

{#- USD of a quantity at a price for each unit. Spark cuts the places of a product that needs more than 38 digits, so
    factors are cast first; nobody is billed for a quantity beyond these types. -#}
{% macro usd_of(quantity, price) -%}
    cast(cast({{ quantity }} as decimal(20, 6)) * cast({{ price }} as decimal(23, 18)) as decimal(38, 12))
{%- endmacro %}

{#- The buckets of a difference, in the order in which they take their part of it. -#}
{% macro difference_buckets() %}
    {{
        return(
            [
                "tax",
                "fee",
                "credit",
                "discount",
                "prior_period",
                "currency",
                "timing",
                "billed_twice",
                "unpriced",
                "failed",
                "estimated",
                "uncaptured",
                "unbilled",
                "rate",
                "rounding",
                "unexplained",
            ]
        )
    }}
{% endmacro %}

{#- By what a bill is spread over who caused it. -#}
{% macro allocation_dimensions() %}
    {{ return(["environment", "tenant_id", "endpoint_tag", "prompt_version"]) }}
{% endmacro %}

{#- A hash of the values of columns, each of which may be NULL. -#}
{% macro fingerprint_of(columns) -%}
    md5(concat_ws('|' {%- for column in columns %}, coalesce(cast({{ column }} as string), '') {%- endfor %}))
{%- endmacro %}

{#- A condition: a date is in one of the months, which are named by their first days and ascend. -#}
{% macro in_months(column, months) -%} {{ in_dates(column, days_of_months(months)) }} {%- endmacro %}

{#- The days of what is kept by day, where the first day of a month has what is of no day of it too. -#}
{% macro in_days_or_months(column, days) -%}
    {%- set firsts = [] -%}
    {%- for day in days if day.day == 1 -%} {%- do firsts.append(day) -%} {%- endfor -%}
    {{ in_dates(column, (days + days_of_months(firsts)) | unique | sort) }}
{%- endmacro %}

{% macro days_of_months(months) %}
    {%- set days = [] -%}
    {%- for month in months -%}
        {%- for ahead in range(31) -%}
            {%- set day = month + modules.datetime.timedelta(days=ahead) -%}
            {%- if day.month == month.month -%} {%- do days.append(day) -%} {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(days) }}
{% endmacro %}

{#- A condition: what we captured has a name in `names` (int_reconciled_names), whatever the kind of its tokens. -#}
{% macro is_named(captured, month=none) -%}
    {{ captured }}.vendor = names.vendor
    and {{ captured }}.account = names.account
    and {{ month or captured ~ ".billing_month" }} = names.billing_month
    and {{ captured }}.model = names.model
    and {{ captured }}.price_model_id is not distinct from names.price_model_id
    and {{ captured }}.tier = names.tier
{%- endmacro %}
