{{ config(materialized="view") }}
-- Lines of money with what their labels mean, in the words of their vendor.
{%- set number = "'^([0-9]+)[ ]?(K|M|B)?([^A-Za-z].*|[ ].*)?$'" %}
with
    lines as (select * from {{ ref("stg_invoice_lines") }} where not is_usage),

    labels as (select * from {{ ref("int_invoice_labels") }}),

    labelled as (
        select
            lines.* exclude (leaf, processing, service_tier, line_type, context_window, model_raw),
            labels.pattern is not null or lines.label is null as is_mapped,
            coalesce(lines.model_raw, labels.model) as model_raw,
            coalesce(lines.leaf, labels.leaf) as kind_of_token,
            coalesce(
                lines.processing, labels.processing, case when labels.service_tier = 'batch' then 'batch' end
            ) as processing,
            coalesce(lines.service_tier, labels.service_tier) as service_tier,
            coalesce(
                labels.route,
                case
                    when lines.vendor = 'azure' and regexp_matches(lines.label, '\b(glbl|gl|global)\b')
                    then 'global'
                    when lines.vendor = 'azure' and regexp_matches(lines.label, '\b(dzone|dz|dzn)\b')
                    then 'data zone'
                    when lines.vendor = 'azure' and regexp_matches(lines.label, '\b(regnl|rgnl|regional)\b')
                    then 'regional'
                    when regexp_matches(lines.label, '(?i)MP:.*_global')
                    then 'global'
                end
            ) as route,
            coalesce(
                lines.context_window,
                case
                    when regexp_matches(lines.label, '(?i)long[_ -]?ctx|lctx|longco\b|\(long\)|long[ -]context')
                    then 'long'
                end
            ) as context_window,
            -- capacity is a fee, whatever the vendor calls the line
            case
                when lines.line_type = 'usage' then coalesce(labels.line_type, 'usage') else lines.line_type
            end as line_type,
            labels.our_model as our_model_of_label,
            coalesce(
                lines.unit_scale,
                labels.unit_scale,
                case lower(lines.unit_raw) when '1000_tokens' then 1000 when 'million tokens' then 1000000 end,
                case
                    when regexp_matches(lines.unit_raw, {{ number }})
                    then
                        {{ cast_or_null("regexp_extract(lines.unit_raw, " ~ number ~ ", 1)", "decimal(9, 0)") }} * cast(
                            case
                                regexp_extract(lines.unit_raw, {{ number }}, 2)
                                when 'K'
                                then 1000
                                when 'M'
                                then 1000000
                                when 'B'
                                then 1000000000
                                else 1
                            end as decimal(10, 0)
                        )
                    when lines.unit_raw is not null
                    then 1
                end
            ) as block
        from lines
        left join labels on lines.vendor = labels.vendor and lines.label = labels.label
    )

select
    * exclude (kind_of_token),
    model_raw as model,
    case
        when lower(unit_raw) in ('images', 'image') and kind_of_token in ('output', 'output_image')
        then 'output_image'
        when lower(unit_raw) in ('images', 'image') and kind_of_token in ('input', 'input_image')
        then 'input_image'
        when regexp_matches(lower(unit_raw), 'token-hours?|count hour|token hours?')
        then 'cache_storage_token_hours'
        when regexp_matches(lower(unit_raw), '^(duration_|gibibyte_hours|characters|hours?|seconds?|minutes?)')
        then replace(lower(unit_raw), ' ', '_')
        else kind_of_token
    end as leaf,
    case
        when request_id is not null
        then 'request'
        when is_month_only
        then 'month'
        when {{ dbt.datediff("charge_period_start", "charge_period_end", "minute") }} <= 60
        then 'hour'
        when {{ dbt.datediff("charge_period_start", "charge_period_end", "minute") }} <= 1500
        then 'day'
        else 'month'
    end as charge_grain,
    md5(
        concat_ws(
            '|',
            source_kind,
            grouping,
            billing_account_id,
            sub_account_id,
            invoice_id,
            request_id,
            description,
            label,
            model_raw,
            service,
            region,
            service_tier,
            context_window,
            line_type,
            charge_class,
            unit_raw,
            currency,
            cast(charge_period_start as string),
            cast(charge_period_end as string),
            project_id,
            api_key_id,
            user_id,
            tags
        )
    ) as natural_key
from labelled
