{#- What calls without a price likely cost, token kind by token kind at the rates of int_exposure, so that whatever is summed
    from calls adds up to `unpriced_models`; NULL where there is nothing to estimate it from. `usage` has the columns of
    `unpriced_quantities`. -#}
{% macro exposure_of(usage, exposure, quantile="") -%}
    case
        when {{ exposure }}.exposure_usd{{ quantile }} is not null
        then
            {%- for kind in token_kinds() %}
                {{ "+ " if not loop.first -}}
                cast(
                    {{ usage }}.{{ kind.quantity }}
                    * {{ exposure }}.{{ kind.name }}_rate_usd{{ quantile }} as decimal(38, 12)
                )
            {%- endfor %}
    end
{%- endmacro %}

{#- Usage with its watched dollars: the known cost and the likely cost of unpriced tokens. -#}
{% macro costed(usage) %}
    select
        usage.*,
        cast(usage.unpriced_tokens * coalesce(exposure.exposure_usd_per_token, 0) as decimal(38, 12)) as exposure_usd,
        usage.cost_usd
        + cast(usage.unpriced_tokens * coalesce(exposure.exposure_usd_per_token, 0) as decimal(38, 12)) as watched_usd,
        usage.cost_usd_squares
        + usage.unpriced_token_squares * power(coalesce(exposure.exposure_usd_per_token, 0), 2) as watched_usd_squares
    from {{ usage }} as usage
    left join {{ ref("int_exposure") }} as exposure using (environment, data_mode, provider, model)
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
