-- Which of several ways of saying the same money counts, by period: groupings, an
-- export and its API, a CUR and a FOCUS file are never added.
with
    -- the finer in models counts, then the preferred kind, then the newest
    ranked as (
        select
            *,
            source_kind || '|' || grouping as kind_and_grouping,
            concat_ws(
                '|',
                case when is_overlapping then '1' else '0' end,
                case when names_models then '0' else '1' end,
                cast(preference as string),
                cast(99999999 - cast(replace(substr(newness, 1, 10), '-', '') as integer) as string),
                cast(99 - length(grouping) + length(replace(grouping, ',', '')) as string),
                source_kind,
                grouping
            ) as choice
        from {{ ref("int_landed_scopes") }}
    ),

    chosen as (
        select
            vendor,
            account,
            is_usage,
            is_monthly,
            period_start,
            min_by(source_kind, choice) as source_kind,
            min_by(kind_and_grouping, choice) as kind_and_grouping
        from ranked
        where superseded_by_export_id is null
        group by vendor, account, is_usage, is_monthly, period_start
    ),

    -- a month that is there day by day counts by its days
    whole_months as (
        select vendor, account, is_usage, billing_month
        from ranked
        where superseded_by_export_id is null and not is_monthly and not is_overlapping
        group by vendor, account, is_usage, billing_month
        having
            count(distinct period_start)
            >= {{ dbt.datediff("billing_month", "(billing_month + interval 1 month)", "day") }}
    ),

    partial_months as (
        select distinct ranked.vendor, ranked.account, ranked.is_usage, ranked.billing_month
        from ranked
        left join
            whole_months
            on ranked.vendor = whole_months.vendor
            and ranked.account = whole_months.account
            and ranked.is_usage = whole_months.is_usage
            and ranked.billing_month = whole_months.billing_month
        where ranked.superseded_by_export_id is null and ranked.is_monthly and whole_months.vendor is null
    ),

    judged as (
        select
            ranked.*,
            case
                when ranked.superseded_by_export_id is not null
                then 'superseded'
                when ranked.is_overlapping
                then 'overlapping_groups'
                when ranked.kind_and_grouping <> chosen.kind_and_grouping and ranked.source_kind = chosen.source_kind
                then 'alternative_grouping'
                when ranked.kind_and_grouping <> chosen.kind_and_grouping
                then 'alternative_export'
                when ranked.is_monthly and whole_months.vendor is not null
                then 'alternative_export'
                when not ranked.is_monthly and partial_months.vendor is not null
                then 'alternative_export'
            end as not_counted_because
        from ranked
        left join
            chosen
            on ranked.vendor = chosen.vendor
            and ranked.account = chosen.account
            and ranked.is_usage = chosen.is_usage
            and ranked.is_monthly = chosen.is_monthly
            and ranked.period_start = chosen.period_start
        left join
            whole_months
            on ranked.vendor = whole_months.vendor
            and ranked.account = whole_months.account
            and ranked.is_usage = whole_months.is_usage
            and ranked.billing_month = whole_months.billing_month
        left join
            partial_months
            on ranked.vendor = partial_months.vendor
            and ranked.account = partial_months.account
            and ranked.is_usage = partial_months.is_usage
            and ranked.billing_month = partial_months.billing_month
    )
select
    *,
    md5(
        concat_ws('|', vendor, account, scope_account, source_kind, grouping, cast(period_start as string))
    ) as scope_key,
    not_counted_because is null as is_counted,
    -- it came again, on a later day, and said the same
    last_arrival_date > arrival_date
    or coalesce(
        lag(lines) over (
            partition by vendor, account, scope_account, source_kind, grouping, period_start order by place
        )
        = lines
        and lag(billed_amount) over (
            partition by vendor, account, scope_account, source_kind, grouping, period_start order by place
        )
        = billed_amount,
        false
    ) as is_confirmed
from judged
