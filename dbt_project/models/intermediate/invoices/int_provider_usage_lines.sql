-- What a vendor's usage report counts, a row for each token kind: parts that add up,
-- and a 0 where it reports 0. A kind that it does not report has no row.
with
    lines as (select * from {{ ref("stg_invoice_lines") }} where is_usage),

    scopes as (select * from {{ ref("int_invoice_scopes") }} where is_usage),

    accounts as (select vendor, account, zone from {{ ref("int_vendor_accounts") }}),

    counted as (
        {% for leaf in [
            "input",
            "cache_read",
            "cache_write",
            "cache_write_5m",
            "cache_write_1h",
            "cache_write_12h",
            "input_audio",
            "cache_audio_read",
            "input_image",
            "cache_image_read",
            "output",
            "output_audio",
            "output_image",
            "web_searches",
            "requests",
        ] %}
            select *, '{{ leaf }}' as counted_leaf, cast({{ json_text("counts", leaf) }} as decimal(20, 6)) as quantity
            from lines {{ "union all" if not loop.last }}
        {% endfor %}
    )

select
    md5(
        concat_ws(
            '|',
            scopes.scope_key,
            counted.export_id,
            cast(counted.line_number as string),
            cast(counted.item as string),
            counted.counted_leaf
        )
    ) as usage_line_key,
    scopes.scope_key,
    counted.export_id,
    scopes.arrival_date,
    scopes.landing_file,
    counted.line_number,
    counted.item,
    counted.load_id,
    counted.vendor,
    counted.account,
    counted.source_kind,
    counted.grouping,
    counted.period_start,
    counted.period_end,
    counted.billing_month,
    counted.charge_period_start,
    counted.charge_period_end,
    case
        when {{ dbt.datediff("charge_period_start", "charge_period_end", "minute") }} <= 60 then 'hour' else 'day'
    end as charge_grain,
    cast({{ local_time("counted.charge_period_start", "coalesce(accounts.zone, 'UTC')") }} as date) as charge_date,
    counted.sub_account_id,
    counted.project_id,
    counted.api_key_id,
    counted.user_id,
    counted.model_raw,
    counted.model_raw as model,
    names.our_model,
    counted.counted_leaf as leaf,
    counted.processing,
    counted.service_tier,
    counted.region,
    counted.context_window,
    counted.quantity,
    scopes.superseded_by_export_id,
    scopes.is_counted,
    scopes.not_counted_because
from counted
inner join
    scopes
    on counted.export_id = scopes.export_id
    and counted.source_kind = scopes.source_kind
    and counted.grouping = scopes.grouping
    and counted.period_start = scopes.period_start
left join accounts on counted.vendor = accounts.vendor and counted.account = accounts.account
left join
    {{ ref("int_invoice_models") }} as names
    on counted.vendor = names.vendor
    and counted.account = names.account
    and counted.model_raw = names.model
where counted.quantity is not null
