-- What no map knows, never guessed: a label, a model that is none of ours, or a quantity
-- whose unit is not certain. With each, a suggestion for a person and the row to paste
-- into invoice_label_maps.csv.
{%- set quote = "'\"' || replace(pattern, '\"', '\"\"') || '\"'" %}
with
    lines as (
        select * from {{ ref("int_invoice_lines") }} where superseded_by_export_id is null and line_type = 'usage'
    ),

    missing as (
        select vendor, account, 'label' as missing, label, model, leaf, quantity_note, billed_usd, charge_period_start
        from lines
        where not is_mapped
        union all
        select vendor, account, 'model' as missing, model as label, model, null, quantity_note, billed_usd, charge_period_start
        from lines
        where is_mapped and model is not null and our_model is null
        union all
        select
            vendor, account, 'unit' as missing, coalesce(label, description), model, leaf, quantity_note, billed_usd,
            charge_period_start
        from lines
        where is_mapped and quantity_note is not null and model is not null
    ),

    gathered as (
        select
            vendor,
            account,
            missing,
            label,
            max(model) as model,
            max(quantity_note) as quantity_note,
            count(*) as lines,
            cast(sum(billed_usd) as decimal(38, 12)) as billed_usd,
            cast(min(charge_period_start) as date) as first_charge_date,
            cast(max(charge_period_start) as date) as last_charge_date,
            regexp_replace(label, '([.+*?^$(){}|\[\]\\])', '\\\1', 'g') as pattern
        from missing
        group by vendor, account, missing, label
    ),

    ours as (
        select distinct usage.model, accounts.vendor, accounts.account
        from {{ ref("int_model_usage_daily") }} as usage
        inner join
            {{ ref("int_vendor_accounts") }} as accounts
            on '|' || accounts.providers || '|' like '%|' || usage.provider || '|%'
    ),

    nearest as (
        select
            gathered.vendor,
            gathered.account,
            gathered.missing,
            gathered.label,
            max_by(
                ours.model, {{ name_similarity("lower(ours.model)", "lower(gathered.label)") }}
            ) as nearest_model
        from gathered
        inner join ours on gathered.vendor = ours.vendor and gathered.account = ours.account
        where gathered.missing = 'model'
        group by gathered.vendor, gathered.account, gathered.missing, gathered.label
    ),

    suggested as (
        select
            gathered.*,
            nearest.nearest_model,
            case
                when regexp_matches(gathered.label, '(?i)storage')
                then 'cache_storage_token_hours'
                when regexp_matches(gathered.label, '(?i)cach.*(write|creat)')
                then 'cache_write_5m'
                when regexp_matches(gathered.label, '(?i)cach')
                then 'cache_read'
                when regexp_matches(gathered.label, '(?i)reason|think')
                then 'reasoning'
                when regexp_matches(gathered.label, '(?i)outp|complet')
                then 'output'
                when regexp_matches(gathered.label, '(?i)inp|prompt')
                then 'input'
                when regexp_matches(gathered.label, '(?i)search|ground')
                then 'web_searches'
            end as suggested_leaf
        from gathered
        left join
            nearest on gathered.vendor = nearest.vendor
            and gathered.account = nearest.account
            and gathered.missing = nearest.missing
            and gathered.label = nearest.label
    )

select
    vendor,
    account,
    missing,
    label,
    model,
    lines,
    billed_usd,
    first_charge_date,
    last_charge_date,
    case missing
        when 'label'
        then
            'No row of invoice_label_maps.csv fits this label' || coalesce(': its words look like ' || suggested_leaf, '')
            || '. Say what it is.'
        when 'model'
        then
            'No call of ours on this account is of this model'
            || coalesce('; the nearest of ours is ' || nearest_model, '')
            || '. Name the model that it is, or leave it: then its cost was captured by nobody.'
        else quantity_note
    end as suggestion,
    case missing
        when 'label'
        then vendor || ',' || {{ quote }} || ',50,' || coalesce(model, '') || ',' || coalesce(suggested_leaf, '') || ',,,,,,,why'
        when 'model'
        then vendor || ',' || {{ quote }} || ',50,,,,,,,,' || coalesce(nearest_model, '') || ',why'
        else vendor || ',' || {{ quote }} || ',50,' || coalesce(model, '') || ',,,,,,1,,single units'
    end as line_to_paste
from suggested
