{#- Attempts as the leaves of every comparison: a day, or the part of one that has been judged. -#}
{% macro usage_leaves(attempts) %}
    select
        event_date,
        environment,
        data_mode,
        {% for dimension in leaf_dimensions() %} {{ dimension.column }}, {% endfor %}
        provider,
        -- a call without usage has no variant: its price was never asked for
        case
            pricing_status
            when 'priced'
            then
                concat_ws(
                    ' ',
                    coalesce(price_variant, 'standard'),
                    case when price_tier_from_tokens > 0 then 'from ' || price_tier_from_tokens || ' tokens' end
                )
            when 'unpriced'
            then 'unpriced'
        end as price_variant,
        cast(sum(cast(is_first_try as integer)) as bigint) as requests,
        count(*) as attempts,
        -- a call without tokens, such as one that was refused, moves no dollars
        cast(
            sum(case when coalesce(input_tokens, 0) + coalesce(output_tokens, 0) > 0 then 1 else 0 end) as bigint
        ) as billed_attempts,
        cast(sum(case when status = 'success' then 1 else 0 end) as bigint) as successes,
        cast(coalesce(sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)), 0) as decimal(38, 0)) as tokens,
        cast(coalesce(sum(cost_usd), 0) as decimal(38, 12)) as cost_usd,
        cast(sum(case when pricing_status = 'unpriced' then 1 else 0 end) as bigint) as unpriced_attempts,
        cast(
            coalesce(
                sum(
                    case
                        when pricing_status = 'unpriced' then coalesce(input_tokens, 0) + coalesce(output_tokens, 0)
                    end
                ),
                0
            ) as decimal(38, 0)
        ) as unpriced_tokens,
        {{ unpriced_quantities("unpriced_") }},
        -- of the priced calls: tokens or counts of each kind, and its dollars, which
        -- sum to cost_usd; a call that lacks the price of one kind has no cost at all
        {% for kind in priced_kinds() %}
            cast(
                coalesce(sum(case when pricing_status = 'priced' then {{ kind.units }} end), 0) as decimal(38, 0)
            ) as {{ kind.name }}_units,
            cast(
                coalesce(sum(case when pricing_status = 'priced' then {{ kind.name }}_cost_usd end), 0) as decimal(
                    38, 12
                )
            ) as {{ kind.name }}_usd,
        {% endfor %}
        -- how uneven the dollars are: a day of few large calls is weaker evidence than
        -- one of many small calls
        coalesce(sum(cast(cost_usd as double) * cast(cost_usd as double)), 0) as cost_usd_squares,
        -- what a typical call costs (the geometric mean): in the arithmetic mean, a few
        -- large calls hide that all calls grew by a third
        cast(sum(case when cost_usd > 0 then 1 else 0 end) as bigint) as typical_calls,
        coalesce(sum(case when cost_usd > 0 then ln(cast(cost_usd as double)) end), 0) as cost_usd_logs,
        coalesce(
            sum(case when cost_usd > 0 then power(ln(cast(cost_usd as double)), 2) end), 0
        ) as cost_usd_log_squares,
        coalesce(
            sum(
                case
                    when pricing_status = 'unpriced'
                    then power(cast(coalesce(input_tokens, 0) + coalesce(output_tokens, 0) as double), 2)
                end
            ),
            0
        ) as unpriced_token_squares
    from {{ attempts }}
    group by all
{% endmacro %}
