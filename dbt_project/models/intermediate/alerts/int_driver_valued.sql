{{ kept_by_date("alert_signal_days") }}
-- Today's leaves valued at the former prices of their token kinds, next to what as many
-- calls, and as large an input, used to cost. A route that is new has no past: what its
-- calls use is taken for usual, so that all of its cost is a matter of price and mix.
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set day_scope = "event_date, environment, data_mode" %}
{%- set route = day_scope ~ ", endpoint_tag, model" %}
{%- set inputs = watched_kinds() | selectattr("side", "equalto", "input") | list %}
{%- set cached_bases = inputs | selectattr("is_cache_read") | map(attribute="base") | list %}
{%- set reads = inputs | selectattr("is_cache_read") | list %}
with
    current_leaves as (select * from {{ ref("int_driver_today") }} where {{ in_dates("event_date", dates) }}),

    rates as (select * from {{ ref("int_driver_rates") }} where {{ in_dates("event_date", dates) }}),

    routes_today as (
        select
            {{ route }},
            {% for kind in watched_kinds() %}
                sum({{ kind.name }}_usd) / nullif(sum({{ kind.name }}_units), 0) as {{ kind.name }}_price
                {{- "," if not loop.last }}
            {% endfor %}
        from current_leaves
        group by {{ route }}
    ),

    -- a kind that is new borrows today's price
    prices as (
        select
            {{ route }},
            coalesce(past.attempts, 0) > 0 as has_past,
            past.share_of_attempts,
            past.usd / nullif(past.attempts, 0) as usd_per_attempt,
            {% for kind in watched_kinds() %}
                past.{{ kind.name }}_units / nullif(past.attempts, 0) as {{ kind.name }}_per_attempt,
                coalesce(
                    past.{{ kind.name }}_usd / nullif(past.{{ kind.name }}_units, 0),
                    routes_today.{{ kind.name }}_price,
                    0
                ) as {{ kind.name }}_price
                {{- "," if not loop.last }}
            {% endfor %}
        from routes_today
        left join
            (select * from {{ ref("int_driver_routes") }} where {{ in_dates("event_date", dates) }}) as past using (
                {{ route }}
            )
    ),

    valued as (
        select
            today.*,
            prices.has_past,
            coalesce(prices.usd_per_attempt, rates.usd_per_attempt) as usd_per_attempt,
            rates.usd_per_call,
            rates.usd_per_request,
            rates.attempts_per_request,
            {% for side in ["input", "output", "unpriced"] %}
                {{ value_of_kinds("today.{}_units * prices.{}_price", side) }} as {{ side }}_usd,
                today.attempts * (
                    {{ value_of_kinds("coalesce(prices.{}_per_attempt, 0) * prices.{}_price", side) }}
                ) as usual_{{ side }}_usd,
            {% endfor %}
            -- as large an input at the former shares of what is cached
            {% for base in inputs | map(attribute="base") | unique %}
                {%- set kinds = inputs | selectattr("base", "equalto", base) | list %}
                {%- if base in cached_bases %}
                    coalesce(
                        (
                            {% for kind in kinds %}today.{{ kind.name }}_units {{- " + " if not loop.last }}{% endfor %}
                        ) * (
                            {% for kind in kinds %}
                                coalesce(prices.{{ kind.name }}_per_attempt, 0) * prices.{{ kind.name }}_price
                                {{- " + " if not loop.last }}
                            {% endfor %}
                        )
                        / nullif(
                            {% for kind in kinds %}
                                coalesce(prices.{{ kind.name }}_per_attempt, 0) {{- " + " if not loop.last }}
                            {% endfor %},
                            0
                        ),
                        {% for kind in kinds %}
                            today.{{ kind.name }}_units * prices.{{ kind.name }}_price {{- " + " if not loop.last }}
                        {% endfor %}
                    )
                {%- else %}
                    {%- for kind in kinds %}
                        today.{{ kind.name }}_units * prices.{{ kind.name }}_price {{- " + " if not loop.last }}
                    {%- endfor %}
                {%- endif %}
                {{- " + " if not loop.last }}
            {% endfor %} as input_at_former_shares_usd,
            {% for kind in reads %}
                today.{{ kind.name }}_units {{- " + " if not loop.last }}
            {% endfor %} as cache_reads,
            today.attempts * (
                {% for kind in reads %}
                    coalesce(prices.{{ kind.name }}_per_attempt, 0) {{- " + " if not loop.last }}
                {% endfor %}
            ) as usual_cache_reads
        from current_leaves as today
        inner join prices using ({{ route }})
        inner join rates using ({{ day_scope }}, endpoint_tag)
    )

select
    {{ route }},
    prompt_version,
    tenant_id,
    user_id,
    requests,
    attempts,
    usd,
    exposure_usd,
    has_past,
    usd_per_attempt,
    usd_per_call,
    usd_per_request,
    attempts_per_request,
    input_usd + output_usd + unpriced_usd as usd_at_former_prices,
    {% for side in ["input", "output"] %}
        {{ side }}_usd, case when has_past then usual_{{ side }}_usd else {{ side }}_usd end as usual_{{ side }}_usd,
    {% endfor %}
    case
        when has_past
        then usual_input_usd + usual_output_usd + usual_unpriced_usd
        else input_usd + output_usd + unpriced_usd
    end as usual_usd,
    case when has_past then input_at_former_shares_usd else input_usd end as input_at_former_shares_usd,
    cache_reads,
    case when has_past then usual_cache_reads else cache_reads end as usual_cache_reads
from valued
