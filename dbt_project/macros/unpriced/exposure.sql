{#- What calls without a price likely cost, token kind by token kind at the rates of int_exposure, so that whatever is summed
    from calls adds up to `unpriced_models`; NULL where there is nothing to estimate it from. `usage` has the columns of
    `unpriced_quantities`, with their prefix. Fifteen digits times a price are 38: of what was used more often, it is unknown. -#}
{% macro exposure_of(usage, exposure, quantile="", prefix="") -%}
    case
        when {{ exposure }}.exposure_usd{{ quantile }} is not null
        then
            {%- for kind in token_kinds() %}
                {{ "+ " if not loop.first -}}
                cast(
                    {{ cast_or_null(usage ~ "." ~ prefix ~ kind.quantity, "decimal(15, 0)") }}
                    * {{ exposure }}.{{ kind.name }}_rate_usd{{ quantile }} as decimal(38, 12)
                )
            {%- endfor %}
    end
{%- endmacro %}

{#- Usage with its watched dollars: the known cost and the likely cost of calls without a price, and how many of these have not
    even that. -#}
{% macro costed(usage) %}
    select
        * exclude (likely_usd {%- for kind in token_kinds() %}, unpriced_{{ kind.quantity }} {%- endfor %}),
        case when likely_usd is null then unpriced_attempts else 0 end as unvalued_attempts,
        coalesce(likely_usd, 0) as exposure_usd,
        cost_usd + coalesce(likely_usd, 0) as watched_usd,
        cost_usd_squares
        + unpriced_token_squares
        * coalesce(
            power(cast(likely_usd as double) / nullif(cast(unpriced_tokens as double), 0), 2), 0
        ) as watched_usd_squares
    from
        (
            select usage.*, {{ exposure_of("usage", "exposure", prefix="unpriced_") }} as likely_usd
            from {{ usage }} as usage
            left join {{ ref("int_exposure") }} as exposure using (environment, data_mode, provider, model)
        ) as valued
{% endmacro %}

{#- CTEs `unpriced` and `rates` of a model that fingerprints dates: by date, a hash of the rates at which the exposure of its unpriced
    models is counted. `usage` has their attempts, `rate` is a column of int_exposure. -#}
{% macro rates_by_date(usage, rate) %}
    unpriced as (
        select distinct event_date, environment, data_mode, provider, model from {{ usage }} where unpriced_attempts > 0
    ),

    rates as (
        select
            unpriced.event_date,
            md5(
                string_agg(
                    concat_ws('|', environment, data_mode, provider, model, exposure.{{ rate }}),
                    ','
                    order by environment, data_mode, provider, model
                )
            ) as rates_fingerprint
        from unpriced
        left join {{ ref("int_exposure") }} as exposure using (environment, data_mode, provider, model)
        group by unpriced.event_date
    )
{% endmacro %}
