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
