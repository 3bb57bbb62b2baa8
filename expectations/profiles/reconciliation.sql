-- One row per finding about a bill next to what calls cost, since the first month that
-- an account landed an export of. `subject` is the month.
with
    watched as (
        select
            vendor, account, min(first_billing_month) as first_month, arg_max(landing_file, arrival_date) as last_file
        from marts.invoice_exports
        where not is_usage
        group by vendor, account
    ),

    scopes as (
        select vendor, account, billing_month, is_monthly, cast(period_start as date) as day
        from intermediate.int_invoice_scopes
        where not is_usage and superseded_by_export_id is null
    ),

    -- days between others that an export of days lacks, without a bill of the month
    spans as (
        select vendor, account, unnest(generate_series(min(day), max(day), interval 1 day))::date as day
        from scopes
        where not is_monthly
        group by vendor, account
    ),

    holes as (
        select spans.vendor, spans.account, spans.day
        from spans
        left join
            scopes
            on spans.vendor = scopes.vendor
            and spans.account = scopes.account
            and case
                when scopes.is_monthly
                then scopes.billing_month = date_trunc('month', spans.day)
                else scopes.day = spans.day
            end
        where scopes.vendor is null
    ),

    unreached as (
        select vendor, account, charge_date as day
        from marts.reconciliation_daily
        where status = 'late'
        union
        select vendor, account, day
        from holes
    ),

    months as (
        select
            vendor,
            account,
            billing_month,
            strftime(billing_month, '%Y-%m') as subject,
            any_value(account_status) as status,
            bool_or(is_billed) as is_billed,
            sum(ours_usd) as ours_usd,
            sum(lines) as lines,
            sum(provisional_lines) as provisional_lines,
            sum(billed_twice_usd) as billed_twice_usd,
            any_value(account_variance_usd) as variance_usd,
            any_value(account_tolerance_usd) as tolerance_usd,
            arg_max(reason || ' ' || next_action, abs(usage_variance_usd)) as reason
        from marts.reconciliation_monthly
        group by vendor, account, billing_month
    ),

    -- by the vendor's clock: what it counts to another day than we do does not differ
    days as (
        select
            vendor,
            account,
            billing_month,
            charge_date,
            sum(usage_variance_usd - timing_usd) as variance_usd,
            any_value(account_tolerance_usd) as tolerance_usd,
            arg_max(reason || ' ' || next_action, abs(usage_variance_usd - timing_usd)) as reason
        from marts.reconciliation_daily
        where is_billed
        group by vendor, account, billing_month, charge_date
        having
            sum(provisional_lines) = 0
            and sum(lines_without_rate) = 0
            and abs(sum(usage_variance_usd - timing_usd)) > any_value(account_tolerance_usd)
    ),

    found as (
        select
            *,
            unnest(
                [
                    case when status = 'late' and not is_billed then 'invoice_late' end,
                    case when status = 'outside' then 'outside_tolerance' end,
                    case when status = 'provisional' then 'provisional' end,
                    case when billed_twice_usd <> 0 then 'billed_twice' end
                ]
            ) as finding
        from months
    ),

    said as (
        select
            finding,
            vendor,
            account,
            billing_month,
            subject,
            case
                finding
                when 'invoice_late'
                then 'is in no export, and its calls cost ' || round(ours_usd, 2) || ' USD'
                when 'outside_tolerance'
                then
                    'differs by '
                    || round(variance_usd, 2)
                    || ' USD, and '
                    || round(tolerance_usd, 2)
                    || ' USD are accepted. Most of it: '
                    || reason
                when 'provisional'
                then
                    'differs by '
                    || round(variance_usd, 2)
                    || ' USD, and '
                    || provisional_lines
                    || ' of its '
                    || lines
                    || ' lines may still change'
                else 'has ' || round(billed_twice_usd, 2) || ' USD on lines that it has more than once'
            end as detail
        from found
        where finding is not null
        union all
        select
            'missing_days',
            months.vendor,
            months.account,
            months.billing_month,
            months.subject,
            'lacks '
            || count(*)
            || case when count(*) = 1 then ' day, ' else ' days, ' end
            || min(unreached.day)
            || case when count(*) = 1 then '' else ' to ' || max(unreached.day) end
        from months
        inner join
            unreached
            on months.vendor = unreached.vendor
            and months.account = unreached.account
            and months.billing_month = date_trunc('month', unreached.day)
        where months.is_billed
        group by months.vendor, months.account, months.billing_month, months.subject
        union all
        select
            'days_outside',
            months.vendor,
            months.account,
            months.billing_month,
            months.subject,
            'has '
            || count(*)
            || case when count(*) = 1 then ' day' else ' days' end
            || ' outside: '
            || arg_max(days.charge_date, abs(days.variance_usd))
            || ' differs by '
            || round(arg_max(days.variance_usd, abs(days.variance_usd)), 2)
            || ' USD, and '
            || round(arg_max(days.tolerance_usd, abs(days.variance_usd)), 2)
            || ' USD are accepted. Most of it: '
            || arg_max(days.reason, abs(days.variance_usd))
        from months
        inner join
            days
            on months.vendor = days.vendor
            and months.account = days.account
            and months.billing_month = days.billing_month
        where months.status = 'within'
        group by months.vendor, months.account, months.billing_month, months.subject
    )

select said.finding, said.vendor, said.account, said.subject, watched.last_file as landing_file, said.detail
from said
inner join watched on said.vendor = watched.vendor and said.account = watched.account
where said.billing_month >= watched.first_month
order by said.finding, said.vendor, said.account, said.subject
