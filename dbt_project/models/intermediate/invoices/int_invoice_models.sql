-- The model of ours that a model on an invoice is: of the same name, or of one that
-- differs in signs, in the maker before it and in the date after it only; never a guess
-- between two. Its price per token tells blocks from single units.
{%- set maker = "'^(us[.]|eu[.]|apac[.]|global[.])?(anthropic|openai|amazon|meta|mistral|cohere|google)[./]'" %}
{%- set version = "'([-@]?20[0-9]{2}-?[0-9]{2}-?[0-9]{2})?(-v[0-9]+)?(:[0-9a-z]+)?$'" %}
{%- set plain = "regexp_replace(regexp_replace(regexp_replace(lower(model), " ~ maker ~ ", ''), " ~ version
    ~ ", ''), '[^a-z0-9]', '', 'g')" %}
with
    billed as (
        select distinct
            lines.vendor, lines.account, coalesce(labels.our_model, lines.model_raw, labels.model) as model
        from {{ ref("stg_invoice_lines") }} as lines
        left join
            {{ ref("int_invoice_labels") }} as labels on lines.vendor = labels.vendor and lines.label = labels.label
    ),

    accounts as (select * from {{ ref("int_vendor_accounts") }}),

    ours as (
        select distinct provider, model, {{ plain }} as plain_name from {{ ref("int_model_usage_daily") }}
    ),

    plain_names as (select *, {{ plain }} as plain_name from billed where model is not null),

    matched as (
        select
            billed.vendor,
            billed.account,
            billed.model,
            ours.model as our_model,
            ours.provider,
            case when lower(ours.model) = lower(billed.model) then 1 else 2 end as nearness
        from plain_names as billed
        inner join accounts on billed.vendor = accounts.vendor and billed.account = accounts.account
        inner join
            ours on '|' || accounts.providers || '|' like '%|' || ours.provider || '|%'
            and ours.plain_name = billed.plain_name
    ),

    nearest as (
        select vendor, account, model, min_by(our_model, nearness) as our_model, min_by(provider, nearness) as provider
        from matched as one
        where
            nearness = (
                select min(nearness)
                from matched as other
                where one.vendor = other.vendor and one.account = other.account and one.model = other.model
            )
        group by vendor, account, model
        having count(distinct our_model) = 1
    ),

    prices as (
        select
            provider,
            model,
            max(uncached_input_price_usd) as input_price_usd,
            max(coalesce(text_output_price_usd, uncached_input_price_usd)) as output_price_usd
        from {{ ref("int_price_book") }}
        group by provider, model
    )

select
    nearest.vendor,
    nearest.account,
    nearest.model,
    nearest.our_model,
    nearest.provider,
    prices.input_price_usd,
    prices.output_price_usd
from nearest
left join prices on nearest.provider = prices.provider and nearest.our_model = prices.model
