{#- Why a cost changed, in dollars by effect that sum to the change exactly (docs/alerts.md works one through).

    A cell is a model at an endpoint, at one provider and price variant. Of each cell and token kind the priced cost is
    n * r * t * p: requests, attempts per request, tokens of the kind per attempt, dollars per token of the kind. The
    Shapley value of a factor is its share of the change, averaged over every order in which the factors could have
    changed: exact, additive, safe at zero, and the same with both sides swapped but for the sign.

    Of the request effect, what all requests together did is volume, and what the cell's share of them did is mix. Of
    the token effect of an input kind, what the size of the input did is input, and what the kind's share of it did
    (read from the cache or not) is cache; that of all other kinds is output. A cell that is new or gone borrows the
    other side's rates, so that its whole change is volume or mix; a kind that one side lacks borrows its price.
    What cannot be requests (attempts whose first attempt lies elsewhere) is retry. The likely cost of unpriced calls is
    an effect of its own. A prompt version makes no cell: a new one changes the tokens of its endpoint. -#}
{#- The columns of cells: both sides of a comparison, with cost by token kind. The baseline is the mean of `days`:
    of one, it is that day's to the last digit. -#}
{% macro sides_of_cells(usage, is_current, days, exposure="exposure_usd") %}
    {%- set counts = ["requests", "attempts"] -%}
    {%- set dollars = [exposure] -%}
    {%- for kind in priced_kinds() -%}
        {%- do counts.append(kind.name ~ "_units") -%} {%- do dollars.append(kind.name ~ "_usd") -%}
    {%- endfor -%}
    {%- for column in counts + dollars %}
        {%- set name = "exposure_usd" if column == exposure else column %}
        {%- set type = "decimal(38, 12)" if column in dollars else "double" %}
        {%- set value = column if column == "0" else usage ~ "." ~ column %}
        cast(coalesce(sum(case when {{ is_current }} then {{ value }} end), 0) as {{ type }}) as current_{{ name }},
        {%- set baseline = "sum(case when not " ~ is_current ~ " then " ~ value ~ " end)" %}
        {%- if days != "1" -%}
            {%- set baseline = "cast(" ~ baseline ~ " as double) / any_value(" ~ days ~ ")" -%}
        {%- endif %}
        cast(coalesce({{ baseline }}, 0) as {{ type }}) as baseline_{{ name }} {{- "," if not loop.last }}
    {%- endfor %}
{% endmacro %}

{#- What the sides of cells cost, by token kind, as rows. -#}
{% macro kinds_of_cells(cells, key) %}
    {% for kind in priced_kinds() %}
        select
            {{ key }},
            '{{ kind.name }}' as token_kind,
            '{{ kind.side }}' as side,
            '{{ kind.base }}' as base,
            {% for side in ["baseline", "current"] %}
                sum(cast({{ side }}_{{ kind.name }}_units as decimal(38, 12))) as {{ side }}_units,
                cast(sum({{ side }}_{{ kind.name }}_usd) as decimal(38, 12)) as {{ side }}_usd
                {{- "," if not loop.last }}
            {% endfor %}
        from {{ cells }}
        where
            baseline_{{ kind.name }}_usd <> 0 or current_{{ kind.name }}_usd <> 0
            -- a fee that nobody asks for is left out
            {% if not kind.is_fee %}
                or baseline_{{ kind.name }}_units <> 0 or current_{{ kind.name }}_units <> 0
            {% endif %}
        group by {{ key }} {{ "union all" if not loop.last }}
    {% endfor %}
{% endmacro %}

{#- By problem, token kind and effect. `cells` has the columns of sides_of_cells, by endpoint_tag, model and price_variant. -#}
{% macro decomposed(cells, dates) %}
    {%- set problem_key = "event_date, environment, data_mode, round" -%}
    {%- set cell_key = problem_key ~ ", endpoint_tag, model, price_variant" -%}
    {%- set factors = ["n", "r", "t", "p"] -%}
    {%- set effects = ["volume", "mix", "retry", "input", "cache", "output", "price"] -%}
    with
        read_cells as (select * from {{ cells }} where {{ in_dates("event_date", dates) }}),

        kinds as ({{ kinds_of_cells("read_cells", cell_key) }}),

        {{ factors_of_cells(problem_key, cell_key) }},

        brackets as (
            select
                *,
                {% for factor in factors %}
                    {{ shapley_bracket(factors | reject("equalto", factor) | list) }}
                    as bracket_{{ factor }} {{- "," if not loop.last }}
                {% endfor %}
            from factors
        ),

        cell_effects as (
            select
                {{ problem_key }},
                token_kind,
                c_current - c_baseline as delta_usd,
                {% set dollars = {
                    "volume": "(all_current - all_baseline) * (s_baseline + s_current) / 2 * bracket_n",
                    "mix": "(s_current - s_baseline) * (all_baseline + all_current) / 2 * bracket_n",
                    "retry": "(r_current - r_baseline) * bracket_r",
                    "input": "case when side = 'input' then (size_current - size_baseline) * (h_baseline + h_current) / 2 * bracket_t else 0 end",
                    "cache": "case when side = 'input' then (h_current - h_baseline) * (size_baseline + size_current) / 2 * bracket_t else 0 end",
                    "output": "case when side = 'output' then (t_current - t_baseline) * bracket_t else 0 end",
                    "price": "(p_current - p_baseline) * bracket_p",
                } %}
                {% for effect in effects %}
                    case
                        when is_retry_alone
                        then {{ "c_current - c_baseline" if effect == "retry" else "cast(0 as decimal(38, 12))" }}
                        else cast({{ dollars[effect] }} as decimal(38, 12))
                    end as {{ effect }}_usd
                    {{- "," if not loop.last }}
                {% endfor %}
            from brackets
        ),

        summed as (
            select
                {{ problem_key }},
                token_kind,
                cast(sum(delta_usd) as decimal(38, 12)) as kind_delta_usd,
                {% for effect in effects %}
                    cast(sum({{ effect }}_usd) as decimal(38, 12)) as {{ effect }} {{- "," if not loop.last }}
                {% endfor %}
            from cell_effects
            group by {{ problem_key }}, token_kind
        ),

        listed as (
            {% for effect in effects %}
                select
                    {{ problem_key }},
                    token_kind,
                    kind_delta_usd,
                    {{ loop.index }} as effect_order,
                    '{{ effect }}' as effect,
                    {{ effect }} as effect_usd
                from summed
                union all
            {% endfor %}
            select
                {{ problem_key }},
                null,
                cast(sum(current_exposure_usd - baseline_exposure_usd) as decimal(38, 12)),
                0,
                'unpriced',
                cast(sum(current_exposure_usd - baseline_exposure_usd) as decimal(38, 12))
            from read_cells
            group by {{ problem_key }}
        ),

        ranked as (
            select
                *,
                row_number() over (
                    partition by {{ problem_key }}, token_kind order by abs(effect_usd) desc, effect_order nulls last
                ) as place,
                sum(effect_usd) over (partition by {{ problem_key }}, token_kind) as effects_usd
            from listed
        ),

        -- the last rounding unit goes to the largest effect of a kind
        exact as (
            select
                {{ problem_key }},
                token_kind,
                effect,
                cast(
                    effect_usd + case when place = 1 then kind_delta_usd - effects_usd else 0 end as decimal(38, 12)
                ) as effect_usd
            from ranked
        )

    select *, cast(sum(effect_usd) over (partition by {{ problem_key }}) as decimal(38, 12)) as delta_usd
    from exact
{% endmacro %}

{#- CTEs `cells` (each with its requests and attempts on both sides) and `factors` (each kind of a cell with its four factors). -#}
{% macro factors_of_cells(problem_key, cell_key) %}
    {%- set sides = [("baseline", "current"), ("current", "baseline")] -%}
    counted as (
        select
            {{ cell_key }},
            {% for side, _ in sides %}
                -- summed as decimals, so that no last digit depends on the order of
                -- rows
                {% for name in ["requests", "attempts"] %}
                    cast(
                        sum(sum(cast({{ side }}_{{ name }} as decimal(38, 12)))) over (
                            partition by {{ problem_key }}, endpoint_tag, model
                        ) as double
                    ) as {{ name }}_{{ side }},
                {% endfor %}
                cast(
                    sum(sum(cast({{ side }}_requests as decimal(38, 12)))) over (
                        partition by {{ problem_key }}
                    ) as double
                ) as all_{{ side }},
                cast(sum(cast({{ side }}_attempts as decimal(38, 12))) as double) / nullif(
                    cast(
                        sum(
                            sum(
                                case
                                    when price_variant is not null then cast({{ side }}_attempts as decimal(38, 12))
                                end
                            )
                        ) over (partition by {{ problem_key }}, endpoint_tag, model) as double
                    ),
                    0
                ) as part_{{ side }} {{- "," if not loop.last }}
            {% endfor %}
        from read_cells
        group by {{ cell_key }}
    ),

    -- calls without usage have no variant: they are divided among those of their model
    cells as (
        select
            {{ cell_key }},
            {% for side, other in sides %}
                all_{{ side }},
                requests_{{ side }} * coalesce(part_{{ side }}, part_{{ other }}, 0) as n_{{ side }},
                attempts_{{ side }} * coalesce(part_{{ side }}, part_{{ other }}, 0) as a_{{ side }}
                {{- "," if not loop.last }}
            {% endfor %}
        from counted
        where price_variant is not null
    ),

    measured as (
        select
            {% for column in cell_key.split(", ") %} cells.{{ column }}, {% endfor %}
            kinds.token_kind,
            kinds.side,
            {% for side, _ in sides %}
                cells.all_{{ side }},
                cells.n_{{ side }},
                cells.a_{{ side }},
                cells.n_{{ side }} > 0 and cells.a_{{ side }} > 0 as has_{{ side }},
                kinds.{{ side }}_usd as c_{{ side }},
                -- dollars need something that they are paid for
                case
                    when kinds.{{ side }}_usd <> 0 then greatest(kinds.{{ side }}_units, 1) else kinds.{{ side }}_units
                end as u_{{ side }},
                sum(
                    case
                        when kinds.{{ side }}_usd <> 0
                        then greatest(kinds.{{ side }}_units, 1)
                        else kinds.{{ side }}_units
                    end
                ) over (partition by {{ qualified("cells", cell_key) }}, kinds.base) as base_u_{{ side }},
            {% endfor %}
            -- dollars without requests on their own side
            {% for side, _ in sides %}
                cells.n_{{ side }} = 0
                and sum(kinds.{{ side }}_usd) over (partition by {{ qualified("cells", cell_key) }}) <> 0
                {{- " or " if not loop.last }}
            {% endfor %} as is_retry_alone
        from cells
        inner join kinds using ({{ cell_key }})
    ),

    own_rates as (
        select
            *,
            {% for side, _ in sides %}
                case when has_{{ side }} then a_{{ side }} / n_{{ side }} end as own_r_{{ side }},
                case when has_{{ side }} then cast(u_{{ side }} as double) / a_{{ side }} end as own_t_{{ side }},
                case
                    when has_{{ side }} then cast(base_u_{{ side }} as double) / a_{{ side }}
                end as own_size_{{ side }},
                cast(u_{{ side }} as double) / nullif(cast(base_u_{{ side }} as double), 0) as own_h_{{ side }},
                cast(c_{{ side }} as double) / nullif(cast(u_{{ side }} as double), 0) as own_p_{{ side }},
                -- stored costs are rounded, each call's at the last digit
                0.000000000001 * (a_{{ side }} + 1) / nullif(cast(u_{{ side }} as double), 0) as error_{{ side }}
                {{- "," if not loop.last }}
            {% endfor %}
        from measured
    ),

    borrowed as (
        select
            * exclude (own_p_baseline, own_p_current),
            coalesce(abs(own_p_current - own_p_baseline) <= error_baseline + error_current, false) as is_one_price,
            {% for side, other in sides %}
                coalesce(own_p_{{ side }}, own_p_{{ other }}, 0) as own_p_{{ side }},
                {% for rate in ["r", "t", "size", "h"] %}
                    coalesce(own_{{ rate }}_{{ side }}, own_{{ rate }}_{{ other }}, 0) as {{ rate }}_{{ side }}
                    {{- "," if not loop.last }}
                {% endfor %}
                {{- "," if not loop.last }}
            {% endfor %}
        from own_rates
    ),

    factors as (
        select
            *,
            {% for side, _ in sides %}
                -- that of both sides together: of a few tokens it is mostly rounding
                case
                    when is_one_price
                    then cast(c_baseline + c_current as double) / cast(u_baseline + u_current as double)
                    else own_p_{{ side }}
                end as p_{{ side }},
                case when all_{{ side }} > 0 then n_{{ side }} / all_{{ side }} else 0 end as s_{{ side }}
                {{- "," if not loop.last }}
            {% endfor %}
        from borrowed
    )
{%- endmacro %}

{#- Columns of a relation. -#}
{% macro qualified(relation, columns) -%}
    {% for column in columns.split(", ") %} {{ relation }}.{{ column }}{{ ", " if not loop.last }}{% endfor %}
{%- endmacro %}

{#- The weight of one factor's change given the other three, over all orders. Pairs that swap with the sides are
    kept together, so that the sum is the same DOUBLE either way. -#}
{% macro shapley_bracket(others) -%}
    {%- set x, y, z = others[0], others[1], others[2] -%}
    (
        ({{ x }}_baseline * {{ y }}_baseline * {{ z }}_baseline + {{ x }}_current * {{ y }}_current * {{ z }}_current)
        / 4
        + (
            (
                {{ x }}_current * {{ y }}_baseline * {{ z }}_baseline
                + {{ x }}_baseline * {{ y }}_current * {{ z }}_current
            ) + (
                {{ x }}_baseline * {{ y }}_current * {{ z }}_baseline
                + {{ x }}_current * {{ y }}_baseline * {{ z }}_current
            )
            + (
                {{ x }}_baseline * {{ y }}_baseline * {{ z }}_current
                + {{ x }}_current * {{ y }}_current * {{ z }}_baseline
            )
        )
        / 12
    )
{%- endmacro %}
