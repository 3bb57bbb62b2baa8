{{ config(materialized="view") }}
-- Lines of money with their quantity in single units. A quantity whose unit is not
-- certain stays NULL, with why.
{%- set tokens = [
    "input",
    "cache_read",
    "cache_write",
    "cache_write_5m",
    "cache_write_30m",
    "cache_write_1h",
    "cache_write_12h",
    "output",
    "reasoning",
    "input_audio",
    "cache_audio_read",
    "output_audio",
    "input_image",
    "cache_image_read",
    "output_image",
    "input_video",
    "output_video",
] %}
with
    lines as (select * from {{ ref("int_labelled_invoice_lines") }}),

    names as (select * from {{ ref("int_invoice_models") }}),

    rates as (select * from {{ ref("stg_fx_rates") }}),

    -- the vendor may count in blocks or in single units while it names blocks
    scaled as (
        select
            lines.*,
            names.our_model,
            leaf in ('{{ tokens | join("', '") }}') as is_token,
            -- about: it is compared with bounds that are a factor of 3 and more apart
            {{ cast_or_null("lines.unit_price_raw", "double") }}
            * coalesce(cast(rates.usd_per_unit as double), 1) as unit_price_usd,
            case
                when leaf like 'output%' or leaf = 'reasoning' then names.output_price_usd else names.input_price_usd
            end as book_price_usd
        from lines
        left join
            names
            on lines.vendor = names.vendor
            and lines.account = names.account
            and coalesce(lines.our_model_of_label, lines.model) = names.model
        left join
            rates
            on lines.source_kind = 'cost_details_ea'
            and lines.currency = rates.currency
            and substr(cast(lines.billing_month as string), 1, 7) = rates.month
    ),

    fitting as (
        select
            *,
            -- a token costs between 0.01 and 150 USD a million, or a third to three
            -- times what the price book says
            {% for scale in ["1", "block"] %}
                case
                    when book_price_usd > 0
                    then
                        unit_price_usd * 3
                        >= cast(book_price_usd as decimal(20, 12))
                        * {{ scale }}
                        * case when leaf like 'cache_%read' then 0.05 else 1 end
                        and unit_price_usd <= cast(book_price_usd as decimal(20, 12)) * {{ scale }} * 3
                    else unit_price_usd >= 0.00000001 * {{ scale }} and unit_price_usd <= 0.00015 * {{ scale }}
                end as fits_{{ scale }} {{- "," if not loop.last }}
            {% endfor %}
        from scaled
    ),

    units as (
        select
            *,
            case
                when quantity_raw is null
                then null
                when source_kind not like 'cost_details%' or not is_token or block = 1
                then block
                when fits_block and not fits_1
                then block
                when fits_1 and not fits_block
                then 1
            end as unit_scale_found
        from fitting
    ),

    counted as (
        select
            *,
            {{
                cast_or_null(
                    cast_or_null("quantity_raw", "decimal(25, 9)")
                    ~ " * "
                    ~ cast_or_null("unit_scale_found", "decimal(13, 0)"),
                    "decimal(20, 6)",
                )
            }} as quantity
        from units
    )

select
    * exclude (
        unit_scale, block, our_model_of_label, fits_1, fits_block, book_price_usd, unit_price_usd, unit_scale_found
    ),
    {{ cast_or_null("unit_scale_found", "decimal(20, 6)") }} as unit_scale,
    is_token and quantity is not null and coalesce(lower(unit_raw), '') not in ('images', 'image') as is_metered,
    case
        when quantity_raw is null or quantity is not null
        then null
        when unit_raw is null
        then 'The export names no unit for its quantity.'
        when source_kind like 'cost_details%' and is_token
        then
            'Neither blocks of '
            || unit_raw
            || ' nor single units give a price near the price book: the unit price is '
            || coalesce(unit_price_raw, 'not said')
            || '.'
        else 'The quantity ' || quantity_raw || ' ' || unit_raw || ' cannot be read.'
    end as quantity_note
from counted
