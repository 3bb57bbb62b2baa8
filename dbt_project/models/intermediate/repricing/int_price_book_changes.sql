{%- set pair = price_key_columns() ~ ", old_price_row_key, new_price_row_key" %}
with
    pairs as (
        select
            version_sequence,
            {{ pair }},
            max(tenant_id) as tenant_id,
            max(change_type) as change_type,
            case when count(*) = count(valid_from) then min(valid_from) end as valid_from,
            case when count(*) = count(valid_to) then max(valid_to) end as valid_to,
            {%- for column in ["input_price_usd", "output_price_usd", "source"] %}
                max(old_{{ column }}) as old_{{ column }}, max(new_{{ column }}) as new_{{ column }},
            {%- endfor %}
            nullif(max(adjustments), '') as adjustments,
            max(approved_by) as approved_by
        from {{ ref("int_price_changes") }}
        group by version_sequence, {{ pair }}
    ),

    months as (
        select
            version_sequence,
            {{ pair }},
            cast(date_trunc('month', event_date) as date) as usage_month,
            environment,
            data_mode,
            {%- for count in ["attempts", "priced_attempts_before", "priced_attempts_after"] %}
                cast(sum({{ count }}) as bigint) as {{ count }},
            {%- endfor %}
            cast(sum(cost_before_usd) as decimal(38, 12)) as cost_before_usd,
            cast(sum(cost_after_usd) as decimal(38, 12)) as cost_after_usd
        from {{ ref("int_price_changes_daily") }}
        group by version_sequence, {{ pair }}, date_trunc('month', event_date), environment, data_mode
    )

select
    -- keys
    pairs.version_sequence,
    versions.price_book_version,
    versions.recorded_at,
    pairs.change_type,
    pairs.old_price_row_key,
    pairs.new_price_row_key,
    -- dimensions
    months.usage_month,
    coalesce(months.environment, '(none)') as environment,
    coalesce(months.data_mode, '(none)') as data_mode,
    pairs.provider,
    pairs.model,
    pairs.processing,
    pairs.service_tier,
    pairs.region,
    pairs.price_context,
    pairs.tenant_id,
    -- the change
    pairs.valid_from,
    pairs.valid_to,
    pairs.old_input_price_usd,
    pairs.new_input_price_usd,
    pairs.old_output_price_usd,
    pairs.new_output_price_usd,
    pairs.old_source,
    pairs.new_source,
    pairs.adjustments,
    pairs.approved_by,
    -- what it changed
    coalesce(months.attempts, 0) as attempts,
    coalesce(months.priced_attempts_before, 0) as priced_attempts_before,
    coalesce(months.priced_attempts_after, 0) as priced_attempts_after,
    months.cost_before_usd,
    months.cost_after_usd,
    cast(coalesce(months.cost_after_usd, 0) - coalesce(months.cost_before_usd, 0) as decimal(38, 12)) as moved_usd
from pairs
inner join {{ ref("int_price_book_versions") }} as versions on pairs.version_sequence = versions.version_sequence
left join
    months
    on pairs.version_sequence = months.version_sequence
    and {{ same_price_key("pairs", "months") }}
    and pairs.old_price_row_key = months.old_price_row_key
    and pairs.new_price_row_key = months.new_price_row_key
