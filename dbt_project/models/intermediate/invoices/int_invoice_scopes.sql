-- What each landed export replaces, which of the exports of one scope is the newest, and
-- which of several ways of saying the same money counts. Parts of one delivery
-- (`-00001.csv.gz`, `part_0_0001.csv`) are one export.
with
    loads as (select * from {{ ref("stg_loads") }} where source = 'invoices' and content_hash is not null),

    -- the same content may have arrived again: it counts from when it first did
    exports as (
        select
            content_hash as export_id,
            min(arrival_date) as arrival_date,
            min_by(landing_file, concat_ws(' ', cast(arrival_date as string), landing_file)) as landing_file
        from loads
        group by content_hash
    ),

    refreshed as (
        select export_id, max(refreshed_at) as refreshed_at from {{ ref("stg_invoice_lines") }} group by export_id
    ),

    totals as (
        select export_id, grouping, period_start, count(*) as lines, sum(billed_amount) as billed_amount
        from {{ ref("stg_invoice_lines") }}
        group by export_id, grouping, period_start
    ),

    texts as (select content_hash as export_id, {{ each_of("scopes") }} as scope from loads),

    covered as (
        select
            export_id,
            {% for column, type in [
                ("source_kind", "string"), ("grouping", "string"), ("scope_account", "string"),
                ("period_start", "timestamp"), ("period_end", "timestamp"), ("billing_month", "date")
            ] %} cast(split_part(scope, '|', {{ loop.index }}) as {{ type }}) as {{ column }}, {% endfor %}
            min(cast(split_part(scope, '|', 7) as integer)) as preference,
            bool_and(split_part(scope, '|', 8) = 'True') as is_empty,
            bool_or(split_part(scope, '|', 9) = 'True') as is_usage,
            bool_or(split_part(scope, '|', 10) = 'True') as is_overlapping,
            bool_or(split_part(scope, '|', 11) = 'True') as names_models,
            bool_or(split_part(scope, '|', 12) = 'True') as is_monthly
        from texts
        group by all
    ),

    placed as (
        select
            covered.*,
            exports.arrival_date,
            exports.landing_file,
            split_part(exports.landing_file, '/', 2) as vendor,
            split_part(exports.landing_file, '/', 3) as account,
            regexp_replace(
                exports.landing_file, '(part_\d+_\d+|[-_]\d{5})((\.[a-z0-9]+)+)$', '\2'
            ) as delivery,
            concat_ws(
                ' ', cast(exports.arrival_date as string), coalesce(cast(refreshed.refreshed_at as string), '-')
            ) as newness,
            coalesce(totals.lines, 0) as lines,
            totals.billed_amount
        from covered
        inner join exports on covered.export_id = exports.export_id
        left join refreshed on covered.export_id = refreshed.export_id
        left join
            totals on covered.export_id = totals.export_id
            and covered.grouping = totals.grouping
            and covered.period_start = totals.period_start
    ),

    deliveries as (
        select *, max(newness || ' ' || export_id) over (partition by delivery, source_kind, grouping) as place
        from placed
    ),

    -- an empty day has no grouping of its own: it replaces those of any
    superseding as (
        select
            former.export_id,
            former.source_kind,
            former.grouping,
            former.scope_account,
            former.period_start,
            max_by(newer.export_id, newer.place) as superseded_by_export_id
        from deliveries as former
        inner join
            deliveries as newer on former.vendor = newer.vendor
            and former.account = newer.account
            and former.source_kind = newer.source_kind
            and former.scope_account = newer.scope_account
            and former.period_start = newer.period_start
            and former.delivery <> newer.delivery
            and former.place < newer.place
        where newer.grouping = former.grouping or newer.is_empty
        group by
            former.export_id, former.source_kind, former.grouping, former.scope_account, former.period_start
    ),

    -- the finer in models counts, then the preferred kind, then the newest
    ranked as (
        select
            deliveries.*,
            superseding.superseded_by_export_id,
            concat_ws(
                '|',
                case when is_overlapping then '1' else '0' end,
                case when names_models then '0' else '1' end,
                cast(preference as string),
                cast(99999999 - cast(replace(substr(newness, 1, 10), '-', '') as integer) as string),
                cast(99 - length(deliveries.grouping) + length(replace(deliveries.grouping, ',', '')) as string),
                deliveries.source_kind,
                deliveries.grouping
            ) as choice
        from deliveries
        left join
            superseding on deliveries.export_id = superseding.export_id
            and deliveries.source_kind = superseding.source_kind
            and deliveries.grouping = superseding.grouping
            and deliveries.scope_account = superseding.scope_account
            and deliveries.period_start = superseding.period_start
    ),

    chosen as (
        select vendor, account, is_usage, is_monthly, period_start, min(choice) as choice
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
            whole_months on ranked.vendor = whole_months.vendor
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
                when ranked.choice <> chosen.choice and split_part(chosen.choice, '|', 6) = ranked.source_kind
                then 'alternative_grouping'
                when ranked.choice <> chosen.choice
                then 'alternative_export'
                when ranked.is_monthly and whole_months.vendor is not null
                then 'alternative_export'
                when not ranked.is_monthly and partial_months.vendor is not null
                then 'alternative_export'
            end as not_counted_because
        from ranked
        left join
            chosen on ranked.vendor = chosen.vendor
            and ranked.account = chosen.account
            and ranked.is_usage = chosen.is_usage
            and ranked.is_monthly = chosen.is_monthly
            and ranked.period_start = chosen.period_start
        left join
            whole_months on ranked.vendor = whole_months.vendor
            and ranked.account = whole_months.account
            and ranked.is_usage = whole_months.is_usage
            and ranked.billing_month = whole_months.billing_month
        left join
            partial_months on ranked.vendor = partial_months.vendor
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
    -- it came again and said the same
    coalesce(
        lag(lines) over (partition by vendor, account, scope_account, source_kind, grouping, period_start order by place)
        = lines
        and lag(billed_amount) over (
            partition by vendor, account, scope_account, source_kind, grouping, period_start order by place
        )
        = billed_amount,
        false
    ) as is_confirmed
from judged
