{{ config(materialized="view") }}
-- Lines with what their labels mean and their quantity in single units. A quantity whose
-- unit is not certain stays NULL, with why.
{%- set number = "'^([0-9]+)[ ]?(K|M|B)?([^A-Za-z].*|[ ].*)?$'" %}
{%- set tokens = ["input", "cache_read", "cache_write", "cache_write_5m", "cache_write_30m", "cache_write_1h",
    "cache_write_12h", "output", "reasoning", "input_audio", "cache_audio_read", "output_audio", "input_image",
    "cache_image_read", "output_image", "input_video", "output_video"] %}
with
    lines as (select * from {{ ref("stg_invoice_lines") }} where not is_usage),

    labels as (select * from {{ ref("int_invoice_labels") }}),

    names as (select * from {{ ref("int_invoice_models") }}),

    labelled as (
        select
            lines.* exclude (leaf, processing, service_tier, line_type, context_window, model_raw),
            labels.pattern is not null or lines.label is null as is_mapped,
            coalesce(lines.model_raw, labels.model) as model_raw,
            coalesce(lines.leaf, labels.leaf) as kind_of_token,
            coalesce(lines.processing, labels.processing, case when labels.service_tier = 'batch' then 'batch' end)
            as processing,
            coalesce(lines.service_tier, labels.service_tier) as service_tier,
            coalesce(
                labels.route,
                case
                    when lines.vendor = 'azure' and regexp_matches(lines.label, '\b(glbl|gl|global)\b') then 'global'
                    when lines.vendor = 'azure' and regexp_matches(lines.label, '\b(dzone|dz|dzn)\b') then 'data zone'
                    when lines.vendor = 'azure' and regexp_matches(lines.label, '\b(regnl|rgnl|regional)\b') then 'regional'
                    when regexp_matches(lines.label, '(?i)MP:.*_global') then 'global'
                end
            ) as route,
            coalesce(
                lines.context_window,
                case when regexp_matches(lines.label, '(?i)long_ctx|longctx|longco\b|\(long\)|long context') then 'long' end
            ) as context_window,
            -- capacity is a fee, whatever the vendor calls the line
            case when lines.line_type = 'usage' then coalesce(labels.line_type, 'usage') else lines.line_type end
            as line_type,
            labels.our_model as our_model_of_label,
            coalesce(
                lines.unit_scale,
                labels.unit_scale,
                case lower(lines.unit_raw)
                    when '1000_tokens' then 1000
                    when 'million tokens' then 1000000
                end,
                case
                    when regexp_matches(lines.unit_raw, {{ number }})
                    then
                        {{ cast_or_null("regexp_extract(lines.unit_raw, " ~ number ~ ", 1)", "decimal(13, 0)") }}
                        * case regexp_extract(lines.unit_raw, {{ number }}, 2)
                            when 'K' then 1000
                            when 'M' then 1000000
                            when 'B' then 1000000000
                            else 1
                        end
                    when lines.unit_raw is not null then 1
                end
            ) as block
        from lines
        left join labels on lines.vendor = labels.vendor and lines.label = labels.label
    ),

    in_kinds as (
        select
            *,
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
            end as leaf
        from labelled
    ),

    -- the vendor may count in blocks or in single units while it names blocks
    scaled as (
        select
            in_kinds.*,
            names.our_model,
            leaf in ('{{ tokens | join("', '") }}') as is_token,
            {{ cast_or_null("unit_price_raw", "decimal(26, 15)") }} as unit_price,
            case when leaf like 'output%' or leaf = 'reasoning' then names.output_price_usd else names.input_price_usd end
            as book_price_usd
        from in_kinds
        left join
            names on in_kinds.vendor = names.vendor
            and in_kinds.account = names.account
            and coalesce(in_kinds.our_model_of_label, in_kinds.model_raw) = names.model
    ),

    fitting as (
        select
            *,
            -- a token costs between 0.01 and 150 USD a million, or a third to three times
            -- what the price book says
            {% for scale in ["1", "block"] %}
                case
                    when book_price_usd > 0
                    then
                        unit_price * 3 >= cast(book_price_usd as decimal(20, 12)) * {{ scale }}
                        * case when leaf like 'cache_%read' then 0.05 else 1 end
                        and unit_price <= cast(book_price_usd as decimal(20, 12)) * {{ scale }} * 3
                    else unit_price >= 0.00000001 * {{ scale }} and unit_price <= 0.00015 * {{ scale }}
                end as fits_{{ scale }} {{- "," if not loop.last }}
            {% endfor %}
        from scaled
    ),

    units as (
        select
            *,
            case
                when quantity_raw is null then null
                when source_kind not like 'cost_details%' or not is_token or block = 1 then block
                when fits_block and not fits_1 then block
                when fits_1 and not fits_block then 1
            end as unit_scale_found
        from fitting
    ),

    counted as (
        select
            *,
            {{ cast_or_null(
                cast_or_null("quantity_raw", "decimal(29, 9)") ~ " * cast(unit_scale_found as decimal(9, 0))",
                "decimal(20, 6)"
            ) }} as quantity
        from units
    )

select
    * exclude (unit_scale, block, kind_of_token, our_model_of_label, fits_1, fits_block, book_price_usd),
    model_raw as model,
    cast(unit_scale_found as decimal(20, 6)) as unit_scale,
    is_token and quantity is not null and coalesce(lower(unit_raw), '') not in ('images', 'image') as is_metered,
    case
        when quantity_raw is null or quantity is not null
        then null
        when unit_raw is null
        then 'The export names no unit for its quantity.'
        when source_kind like 'cost_details%' and is_token
        then
            'Neither blocks of ' || unit_raw || ' nor single units give a price near the price book: the unit price is '
            || coalesce(unit_price_raw, 'not said') || '.'
        else 'The quantity ' || quantity_raw || ' ' || unit_raw || ' cannot be read.'
    end as quantity_note,
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
            '|', source_kind, grouping, billing_account_id, sub_account_id, invoice_id, request_id, description, label,
            model_raw, service, region, service_tier, context_window, line_type, charge_class, unit_raw, currency,
            cast(charge_period_start as string), cast(charge_period_end as string), project_id, api_key_id, user_id, tags
        )
    ) as natural_key
from counted
