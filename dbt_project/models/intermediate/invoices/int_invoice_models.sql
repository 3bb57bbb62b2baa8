-- The model of ours that a model on an invoice is: the one that a label map names, or
-- one of the same name, or one that differs in signs, in the maker before it and in the
-- date after it only; never a guess between two. Prices tell blocks from single units.
{%- set maker = "'^(us[.]|eu[.]|apac[.]|global[.])?(anthropic|openai|amazon|meta|mistral|cohere|google)[./]'" %}
{%- set version = "'([-@]?20[0-9]{2}-?[0-9]{2}-?[0-9]{2})?(-v[0-9]+)?(:[0-9a-z]+)?$'" %}
{%- set plain = (
    "regexp_replace(regexp_replace(regexp_replace(lower(model), "
    ~ maker
    ~ ", ''), "
    ~ version
    ~ ", ''), '[^a-z0-9]', '', 'g')"
) %}
with
    billed as (
        select distinct lines.vendor, lines.account, coalesce(labels.our_model, lines.model_raw, labels.model) as model
        from {{ ref("stg_invoice_lines") }} as lines
        left join
            {{ ref("int_invoice_labels") }} as labels on lines.vendor = labels.vendor and lines.label = labels.label
    ),

    plain_names as (
        select billed.*, {{ plain }} as plain_name, '|' || accounts.providers || '|' as providers
        from billed
        inner join
            {{ ref("int_vendor_accounts") }} as accounts
            on billed.vendor = accounts.vendor
            and billed.account = accounts.account
        where billed.model is not null
    ),

    maps as (select * from {{ ref("stg_invoice_label_maps") }} where our_model is not null),

    said as (
        select
            plain_names.vendor,
            plain_names.account,
            plain_names.model,
            min_by(
                maps.our_model, (case when maps.vendor = '*' then 1 else 0 end, maps.priority, maps.pattern)
            ) as our_model
        from plain_names
        inner join
            maps
            on maps.vendor in (plain_names.vendor, '*')
            and regexp_matches(plain_names.model, '^(?i:' || maps.pattern || ')$')
        group by plain_names.vendor, plain_names.account, plain_names.model
    ),

    ours as (select distinct provider, model, {{ plain }} as plain_name from {{ ref("int_model_usage_daily") }}),

    alike as (
        select
            plain_names.vendor,
            plain_names.account,
            plain_names.model,
            max(case when lower(ours.model) = lower(plain_names.model) then ours.model end) as same_model,
            max(ours.model) as our_model,
            count(distinct ours.model) as models
        from plain_names
        inner join
            ours
            on plain_names.providers like '%|' || ours.provider || '|%'
            and ours.plain_name = plain_names.plain_name
        group by plain_names.vendor, plain_names.account, plain_names.model
    ),

    named as (
        select
            plain_names.*,
            coalesce(said.our_model, alike.same_model, case when alike.models = 1 then alike.our_model end) as our_model
        from plain_names
        left join
            said
            on plain_names.vendor = said.vendor
            and plain_names.account = said.account
            and plain_names.model = said.model
        left join
            alike
            on plain_names.vendor = alike.vendor
            and plain_names.account = alike.account
            and plain_names.model = alike.model
    )

select
    named.vendor,
    named.account,
    named.model,
    named.our_model,
    max(prices.uncached_input_price_usd) as input_price_usd,
    max(coalesce(prices.text_output_price_usd, prices.uncached_input_price_usd)) as output_price_usd
from named
left join
    {{ ref("int_price_book") }} as prices
    on named.our_model = prices.model
    and named.providers like '%|' || prices.provider || '|%'
group by named.vendor, named.account, named.model, named.our_model
