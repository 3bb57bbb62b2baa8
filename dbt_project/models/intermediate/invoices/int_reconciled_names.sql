{{ kept_by_date("reconciled_months") }}
{%- set months = dirty_dates() %}
{%- set is_here = "names.model is not distinct from known.cell_model" %}
{%- set is_of_none = "names.model is null and names.leaf = known.leaf" %}
{%- set key = ["vendor", "account", "billing_month", "model", "price_model_id", "tier", "leaf"] %}
-- By which names the bill of a month holds what we captured and what a usage report
-- counts: the finest that both sides tell apart. Ours are looked for among those of the
-- bill, first as they are, then as label maps and the price catalogue have them.
with
    usage as (
        select *
        from {{ ref("int_billed_lines") }}
        where bucket in ('usage', 'billed_twice') and not is_by_request and {{ in_dates("billing_month", months) }}
    ),

    models as (select distinct vendor, account, billing_month, model, our_model from usage where model is not null),

    names as (select distinct vendor, account, billing_month, model, leaf, tier from usage),

    captured as (
        {%- for day in ["event_date", "charge_date"] %}
            select vendor, account, {{ day }} as day, model, price_model_id, tier
            from {{ ref("int_billable_usage") }}
            where {{ in_months(day, months) }} {{ "union" if not loop.last }}
        {%- endfor %}
    ),

    sought as (
        select distinct
            vendor,
            account,
            cast(date_trunc('month', day) as date) as billing_month,
            model,
            price_model_id,
            tier,
            kinds.leaf
        from captured
        cross join
            (values {% for leaf in billed_leaves().values() %} ('{{ leaf }}'), {% endfor %} ('other')) as kinds(leaf)
        union
        select distinct
            vendor,
            account,
            cast(date_trunc('month', charge_date) as date),
            model,
            cast(null as string),
            {{ tier_of("processing", "service_tier") }},
            leaf
        from {{ ref("int_provider_usage_lines") }}
        where is_counted and leaf is not null and {{ in_months("charge_date", months) }}
    ),

    found as (
        select
            sought.*,
            bills.has_models,
            bills.has_leaves,
            bills.is_daily,
            bills.covered_through,
            models.model as billed_model,
            row_number() over (
                partition by {% for column in key %} sought.{{ column }} {{- ", " if not loop.last }} {% endfor %}
                order by
                    coalesce(models.model = sought.model, false) desc,
                    coalesce(models.our_model = sought.model, false) desc,
                    models.model nulls last
            ) as place
        from sought
        inner join {{ ref("int_billed_months") }} as bills using (vendor, account, billing_month)
        left join
            models
            on sought.vendor = models.vendor
            and sought.account = models.account
            and sought.billing_month = models.billing_month
            and (
                sought.model in (models.our_model, models.model)
                or sought.price_model_id in (models.our_model, models.model)
            )
    ),

    known as (
        select
            found.* exclude (place),
            coalesce(billed_model, case when has_models then model end) as cell_model,
            case
                when leaf = 'reasoning' then 'output' when substr(leaf, 1, 12) = 'cache_write_' then 'cache_write'
            end as wider_leaf
        from found
        where place = 1
    ),

    compared as (
        select
            {% for column in key + ["cell_model", "wider_leaf", "has_leaves", "is_daily", "covered_through"] %}
                known.{{ column }},
            {% endfor %}
            {% for name, holds in {
                "is_billed": is_here,
                "has_leaves_here": is_here ~ " and names.leaf is not null",
                "has_leaf": is_here ~ " and names.leaf = known.leaf",
                "has_wider_leaf": is_here ~ " and names.leaf = known.wider_leaf",
                "has_tier": is_here ~ " and names.tier = known.tier",
                "has_leaf_without_model": is_of_none,
                "has_tier_without_model": is_of_none ~ " and names.tier = known.tier",
            }.items() %}
                coalesce(bool_or({{ holds }}), false) as {{ name }} {{- "," if not loop.last }}
            {% endfor %}
        from known
        left join
            names
            on known.vendor = names.vendor
            and known.account = names.account
            and known.billing_month = names.billing_month
            and (names.model is null or names.model = known.cell_model)
        group by all
    )

select
    billing_month as event_date,
    {{ key | join(", ") }},
    case when has_leaf or not has_leaf_without_model then cell_model end as cell_model,
    case
        when has_leaf or has_leaf_without_model
        then leaf
        when has_wider_leaf
        then wider_leaf
        when case when is_billed then has_leaves_here else has_leaves end
        then leaf
    end as cell_leaf,
    case
        when (has_leaf or not has_leaf_without_model) and is_billed and not has_tier
        then 'standard'
        when not has_leaf and has_leaf_without_model and not has_tier_without_model
        then 'standard'
        else tier
    end as cell_tier,
    has_leaf or has_leaf_without_model as is_billed_kind,
    is_daily,
    covered_through
from compared
