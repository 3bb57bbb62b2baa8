-- What no map knows, never guessed: a label, a model that is none of ours, or a
-- quantity whose unit is not certain. With each, a suggestion for a person and the row
-- to paste into invoice_label_maps.csv.
{%- set words = [
    ("cache_storage_token_hours", "storage"),
    ("cache_write_5m", "cach.*(write|creat)"),
    ("cache_read", "cach"),
    ("reasoning", "reason|think"),
    ("output", "outp|complet"),
    ("input", "inp|prompt"),
    ("web_searches", "search|ground"),
] %}
with
    lines as (
        select
            *,
            case
                when not is_mapped
                then 'label'
                when model is not null and our_model is null
                then 'model'
                when model is not null and quantity_note is not null
                then 'unit'
            end as missing,
            case when is_mapped and our_model is null then model else coalesce(label, description) end as unknown_text
        from {{ ref("int_invoice_lines") }}
        where superseded_by_export_id is null and line_type = 'usage'
    ),

    gathered as (
        select
            vendor,
            account,
            missing,
            unknown_text,
            max(model) as model,
            max(quantity_note) as quantity_note,
            count(*) as lines,
            cast(sum(billed_usd) as decimal(38, 12)) as billed_usd,
            cast(min(charge_period_start) as date) as first_charge_date,
            cast(max(charge_period_start) as date) as last_charge_date,
            '"'
            || replace(regexp_replace(unknown_text, '([.+*?^$(){}|\[\]\\])', '\\\1', 'g'), '"', '""')
            || '"' as pattern
        from lines
        where missing is not null
        group by vendor, account, missing, unknown_text
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
            gathered.unknown_text,
            max_by(
                ours.model, {{ name_similarity("lower(ours.model)", "lower(gathered.unknown_text)") }}
            ) as nearest_model
        from gathered
        inner join ours on gathered.vendor = ours.vendor and gathered.account = ours.account
        where gathered.missing = 'model'
        group by gathered.vendor, gathered.account, gathered.unknown_text
    ),

    suggested as (
        select
            gathered.*,
            nearest.nearest_model,
            case
                {% for leaf, word in words %}
                    when regexp_matches(gathered.unknown_text, '(?i){{ word }}') then '{{ leaf }}'
                {% endfor %}
            end as suggested_leaf
        from gathered
        left join
            nearest
            on gathered.vendor = nearest.vendor
            and gathered.account = nearest.account
            and gathered.unknown_text = nearest.unknown_text
    )

select
    vendor,
    account,
    missing,
    unknown_text as label,
    model,
    lines,
    billed_usd,
    first_charge_date,
    last_charge_date,
    case
        missing
        when 'label'
        then
            'No row of invoice_label_maps.csv fits this label'
            || coalesce(': its words look like ' || suggested_leaf, '')
            || '. Say what it is.'
        when 'model'
        then
            'No call of ours on this account is of this model'
            || coalesce('; the nearest of ours is ' || nearest_model, '')
            || '. Name the model that it is, or leave it: then its cost was captured by nobody.'
        else quantity_note
    end as suggestion,
    -- vendor, pattern, priority, model, leaf ... unit_scale, our_model, reason
    vendor
    || ','
    || pattern
    || ',50,'
    || case
        missing
        when 'label'
        then coalesce(model, '') || ',' || coalesce(suggested_leaf, '') || ',,,,,,,why'
        when 'model'
        then ',,,,,,,' || coalesce(nearest_model, '') || ',why'
        else coalesce(model, '') || ',,,,,,1,,single units'
    end as line_to_paste
from suggested
