-- One row per finding about bills: what is wrong, where, and what to do, as a sentence.
-- `subject` is the file or label that it is about, by which it is known again.
-- Amounts are compared by multiplying: money is not divided.
with
    scopes as (select * from intermediate.int_invoice_scopes where not is_usage),

    exports as (select * from marts.invoice_exports),

    fx_missing as (
        select
            'fx_missing' as finding,
            vendor,
            account,
            landing_file,
            'has '
            || lines_without_fx_rate
            || ' lines in '
            || currency_without_fx_rate
            || ' for '
            || strftime(first_billing_month, '%Y-%m')
            || ', which has no rate' as detail
        from exports
        where lines_without_fx_rate > 0
    ),

    wrong_month as (
        select
            'wrong_month' as finding,
            vendor,
            account,
            landing_file,
            case
                when arrival_date < cast(period_start as date)
                then
                    'arrived on '
                    || arrival_date
                    || ', before the '
                    || strftime(first_billing_month, '%Y-%m')
                    || ' that it bills'
                else 'is named ' || named_month || ' and bills ' || strftime(first_billing_month, '%Y-%m')
            end as detail
        from exports
        where
            arrival_date < cast(period_start as date)
            or named_month not between strftime(first_billing_month, '%Y-%m')
            and strftime(last_billing_month, '%Y-%m')
    ),

    several as (
        select
            vendor, account, landing_file, period_start, count(distinct grouping) as groupings, list(grouping) as found
        from scopes
        where not is_empty
        group by all
        having count(distinct grouping) > 1
    ),

    two_groupings as (
        select
            'two_groupings' as finding,
            vendor,
            account,
            landing_file,
            'has '
            || cast(period_start as date)
            || ' by '
            || array_to_string(
                list_transform(list_sort(found), lambda g:coalesce(nullif(g, ''), 'nothing')), ' and by '
            ) as detail
        from several
        qualify row_number() over (partition by vendor, account, landing_file order by period_start) = 1
    ),

    -- a page that says that another follows, and nothing that begins where it ends
    last_pages as (
        select *
        from scopes
        where has_more
        qualify
            period_start = max(period_start) over (partition by export_id, source_kind)
            and row_number() over (partition by export_id, source_kind, period_start order by scope_key) = 1
    ),

    missing_page as (
        select
            'missing_page' as finding,
            last_pages.vendor,
            last_pages.account,
            last_pages.landing_file,
            'ends on ' || cast(last_pages.period_start as date) || ' and says that another page follows' as detail
        from last_pages
        left join
            scopes as following
            on last_pages.vendor = following.vendor
            and last_pages.account = following.account
            and last_pages.source_kind = following.source_kind
            and last_pages.period_end = following.period_start
        where following.vendor is null
    ),

    said as (
        select
            vendor,
            account,
            period_start,
            source_kind,
            grouping,
            sum(billed_amount) as billed_amount,
            min(landing_file) as landing_file
        from scopes
        where superseded_by_export_id is null and not is_overlapping
        group by all
    ),

    disagreeing as (
        select
            'groupings_disagree' as finding,
            vendor,
            account,
            min(landing_file) as landing_file,
            'and others say of '
            || cast(period_start as date)
            || ' '
            || string_agg(
                source_kind
                || coalesce(' by ' || nullif(grouping, ''), '')
                || ' '
                || round(coalesce(billed_amount, 0), 2),
                ', '
                order by source_kind, grouping
            ) as detail
        from said
        group by vendor, account, period_start
        having max(coalesce(billed_amount, 0)) - min(coalesce(billed_amount, 0)) > 0.01
    ),

    -- what each model and token kind costs by the price book, per export: from the
    -- quantities on the lines, or those of the vendor's usage report of the same days
    counted as (
        select vendor, account, charge_date, model, leaf, sum(quantity) as quantity
        from marts.provider_usage_lines
        where is_counted
        group by all
    ),

    prices as (
        select
            model as priced_model,
            min(uncached_input_price_usd) as least_input,
            max(uncached_input_price_usd) as most_input,
            min(text_output_price_usd) as least_output,
            max(text_output_price_usd) as most_output
        from marts.price_book
        group by model
    ),

    billed as (
        select
            vendor,
            account,
            landing_file,
            charge_date,
            model,
            leaf,
            max(our_model) as our_model,
            sum(billed_usd) as billed_usd,
            sum(quantity) as quantity
        from marts.invoice_lines
        where line_type = 'usage' and leaf in ('input', 'output') and superseded_by_export_id is null
        group by all
    ),

    expected as (
        select
            vendor,
            account,
            landing_file,
            sum(billed_usd) as billed_usd,
            sum(
                cast(
                    units * cast(
                        case when leaf = 'output' then least_output else least_input end as decimal(18, 15)
                    ) as decimal(38, 12)
                )
            ) as least_usd,
            sum(
                cast(
                    units * cast(
                        case when leaf = 'output' then most_output else most_input end as decimal(18, 15)
                    ) as decimal(38, 12)
                )
            ) as most_usd
        from
            (
                select billed.*, coalesce(billed.quantity, counted.quantity) as units
                from billed
                left join counted using (vendor, account, charge_date, model, leaf)
            ) as quantities
        inner join prices on coalesce(our_model, model) = priced_model
        where units > 0
        group by all
    ),

    months as (
        select vendor, account, billing_month, sum(billed_usd) as billed_usd, max(landing_file) as landing_file
        from marts.invoice_lines
        where line_type = 'usage' and is_counted
        group by all
    ),

    captured as (
        select
            accounts.vendor,
            accounts.account,
            cast(date_trunc('month', costs.event_date) as date) as billing_month,
            sum(costs.cost_usd) as captured_usd
        from marts.cost_daily as costs
        inner join
            intermediate.int_vendor_accounts as accounts
            on '|' || accounts.providers || '|' like '%|' || costs.provider || '|%'
        where costs.data_mode <> 'demo'
        group by all
    ),

    compared as (
        select *, 'its quantities at the price book' as by_what
        from expected
        union all by name
        select
            months.vendor,
            months.account,
            months.landing_file,
            months.billed_usd,
            captured.captured_usd as least_usd,
            captured.captured_usd as most_usd,
            'your calls' as by_what
        from months
        inner join captured using (vendor, account, billing_month)
    ),

    cents as (
        select
            'cents_for_dollars' as finding,
            vendor,
            account,
            landing_file,
            'bills '
            || round(billed_usd, 2)
            || ' USD where '
            || by_what
            || ' cost '
            || round(most_usd, 2)
            || ' USD' as detail
        from compared
        where
            greatest(billed_usd, most_usd) > 1
            and (
                (billed_usd >= 70 * least_usd and billed_usd <= 140 * most_usd)
                or (100 * billed_usd >= 0.7 * least_usd and 100 * billed_usd <= 1.4 * most_usd)
            )
        qualify row_number() over (partition by vendor, account, landing_file order by by_what) = 1
    ),

    unmapped as (
        select
            'unmapped' as finding,
            vendor,
            account,
            label,
            '"'
            || label
            || '" ('
            || lines
            || ' lines, '
            || coalesce(cast(round(billed_usd, 2) as varchar), 'unknown')
            || ' USD)' as detail
        from marts.unmapped_invoice_lines
        where missing <> 'model'
    ),

    found as (
        select *
        from fx_missing
        union all by name
        select *
        from wrong_month
        union all by name
        select *
        from two_groupings
        union all by name
        select *
        from missing_page
        union all by name
        select *
        from disagreeing
        union all by name
        select *
        from cents
        union all by name
        select *
        from unmapped
    )

-- what a finding is known by when it is found again
select *, coalesce(landing_file, label) as subject
from found
order by finding, vendor, account, subject, detail
