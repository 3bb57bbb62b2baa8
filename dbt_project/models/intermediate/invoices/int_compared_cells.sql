{{ kept_by_date("reconciled_months") }}
-- Each cell with what both sides say of it: our calls by two clocks, the lines of the
-- bill, requests that were matched one by one, and the counts of a usage report.
{%- set cell = ["cell_key", "vendor", "account", "billing_month", "cell_date", "model", "leaf", "tier"] %}
{%- set buckets = ["tax", "fee", "credit", "discount", "prior_period", "billed_twice", "rounding"] %}
{%- set request_buckets = ["uncaptured", "unbilled", "failed", "unpriced", "estimated", "rate"] %}
{%- set amounts = [
    "compared_usd",
    "billed_usd",
    "currency_usd",
    "usage_usd",
    "request_usd",
    "prepaid_usd",
    "off_list_usd",
] %}
{%- for bucket in buckets %} {%- do amounts.append(bucket ~ "_usd") %} {%- endfor %}
{%- set of_months = in_dates("billing_month", dirty_dates()) %}
{%- set is_usage = "bucket = 'usage' and not is_by_request" %}
with
    captured as (select * from {{ ref("int_captured_cells") }} where {{ of_months }}),

    billed as (
        select
            {{ cell_key() }} as {{ cell | join(", ") }},
            count(*) as lines,
            count(case when is_by_request then 1 end) as request_lines,
            count(case when {{ is_usage }} then 1 end) as usage_lines,
            count(case when {{ is_usage }} and quantity is null then 1 end) as lines_without_quantity,
            count(case when {{ is_usage }} and off_list_usd is null then 1 end) as lines_without_list,
            count(case when compared_usd is null then 1 end) as lines_without_rate,
            count(case when is_provisional then 1 end) as provisional_lines,
            max(currency) as currency,
            sum(compared_usd) as compared_usd,
            sum(billed_usd) as billed_usd,
            sum(currency_usd) as currency_usd,
            sum(case when {{ is_usage }} then billed_usd + prepaid_usd end) as usage_usd,
            sum(case when bucket = 'usage' and is_by_request then billed_usd end) as request_usd,
            sum(case when {{ is_usage }} then prepaid_usd end) as prepaid_usd,
            sum(case when {{ is_usage }} then off_list_usd end) as off_list_usd,
            sum(case when {{ is_usage }} then quantity end) as line_quantity,
            {% for bucket in buckets %}
                sum(case when bucket = '{{ bucket }}' then billed_usd end) as {{ bucket }}_usd
                {{- "," if not loop.last }}
            {% endfor %}
        from {{ ref("int_billed_lines") }}
        where {{ of_months }}
        group by all
    ),

    matched as (select * from {{ ref("int_matched_cells") }} where {{ of_months }}),

    named as (
        select
            usage.vendor,
            usage.account,
            usage.billing_month,
            case when names.is_daily then usage.charge_date end as cell_date,
            names.cell_model as model,
            names.cell_leaf as leaf,
            names.cell_tier as tier,
            usage.quantity
        from {{ ref("int_provider_usage_lines") }} as usage
        inner join
            {{ ref("int_reconciled_names") }} as names
            on usage.vendor = names.vendor
            and usage.account = names.account
            and usage.billing_month = names.billing_month
            and usage.model = names.model
            and names.price_model_id is null
            and {{ tier_of("usage.processing", "usage.service_tier") }} = names.tier
            and usage.leaf = names.leaf
        where usage.is_counted and {{ in_dates("usage.billing_month", dirty_dates()) }}
    ),

    reported as (select {{ cell_key() }} as cell_key, sum(quantity) as reported_quantity from named group by cell_key),

    cells as (
        select {{ cell | join(", ") }}
        from captured
        union
        select {{ cell | join(", ") }}
        from billed
        union
        select {{ cell | join(", ") }}
        from matched
    )

select
    cells.billing_month as event_date,
    cells.*,
    coalesce(captured.is_covered, true) as is_covered,
    coalesce(captured.ours_usd, 0) + coalesce(matched.ours_usd, 0) as ours_usd,
    coalesce(matched.clocked_usd, 0) as request_clocked_usd,
    {% for name in [
        "clocked_usd",
        "failed_usd",
        "value_usd",
        "quantity",
        "priced_quantity",
        "estimated_quantity",
        "failed_tokens",
    ] %}
        coalesce(captured.{{ name }}, 0) as {{ name }},
    {% endfor %}
    captured.price_usd,
    coalesce(captured.is_list_price, false) as is_list_price,
    {% for name in ["lines", "request_lines", "usage_lines", "lines_without_rate", "provisional_lines"] %}
        coalesce(billed.{{ name }}, 0) as {{ name }},
    {% endfor %}
    coalesce(billed.lines_without_list, 1) = 0 as has_list_amounts,
    billed.currency,
    {% for name in amounts %} cast(coalesce(billed.{{ name }}, 0) as decimal(38, 12)) as {{ name }}, {% endfor %}
    {% for bucket in request_buckets %}
        cast(coalesce(matched.request_{{ bucket }}_usd, 0) as decimal(38, 12)) as request_{{ bucket }}_usd,
    {% endfor %}
    -- what the bill says itself, else what the vendor's usage report says of it
    case
        when coalesce(billed.usage_lines, 0) = 0
        then cast(0 as decimal(38, 6))
        when cells.leaf is null
        then null
        when billed.lines_without_quantity = 0
        then cast(billed.line_quantity as decimal(38, 6))
        else cast(reported.reported_quantity as decimal(38, 6))
    end as billed_quantity
from cells
left join captured on cells.cell_key = captured.cell_key
left join billed on cells.cell_key = billed.cell_key
left join matched on cells.cell_key = matched.cell_key
left join reported on cells.cell_key = reported.cell_key
