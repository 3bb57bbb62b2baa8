-- What each landed export replaces, and which of the exports of one scope is the
-- newest, which replaces the others whole. Parts of one delivery (`-00001.csv.gz`,
-- `part_0_0001.csv`) are one export.
with
    loads as (select * from {{ ref("stg_loads") }} where source = 'invoices' and content_hash is not null),

    -- the same content may have arrived again: it counts from when it first did
    exports as (
        select
            content_hash as export_id,
            min(arrival_date) as arrival_date,
            max(arrival_date) as last_arrival_date,
            min_by(landing_file, concat_ws(' ', cast(arrival_date as string), landing_file)) as landing_file
        from loads
        group by content_hash
    ),

    refreshed as (
        select export_id, max(refreshed_at) as refreshed_at from {{ ref("stg_invoice_lines") }} group by export_id
    ),

    totals as (
        select export_id, grouping, scope_account, period_start, count(*) as lines, sum(billed_amount) as billed_amount
        from {{ ref("stg_invoice_lines") }}
        group by export_id, grouping, scope_account, period_start
    ),

    texts as (select content_hash as export_id, {{ each_of("scopes") }} as scope from loads),

    covered as (
        select
            export_id,
            {% for column, type in [
                ("source_kind", "string"),
                ("grouping", "string"),
                ("scope_account", "string"),
                ("period_start", "timestamp"),
                ("period_end", "timestamp"),
                ("billing_month", "date"),
            ] %}
                cast(split_part(scope, '|', {{ loop.index }}) as {{ type }}) as {{ column }},
            {% endfor %}
            min(cast(split_part(scope, '|', 7) as integer)) as preference,
            bool_and(split_part(scope, '|', 8) = 'True') as is_empty,
            bool_or(split_part(scope, '|', 9) = 'True') as is_usage,
            bool_or(split_part(scope, '|', 10) = 'True') as is_overlapping,
            bool_or(split_part(scope, '|', 11) = 'True') as names_models,
            bool_or(split_part(scope, '|', 12) = 'True') as is_monthly,
            bool_or(split_part(scope, '|', 13) = 'True') as has_more
        from texts
        group by all
    ),

    placed as (
        select
            covered.*,
            exports.arrival_date,
            exports.last_arrival_date,
            exports.landing_file,
            split_part(exports.landing_file, '/', 2) as vendor,
            split_part(exports.landing_file, '/', 3) as account,
            regexp_replace(exports.landing_file, '(part_\d+_\d+|[-_]\d{5})((\.[a-z0-9]+)+)$', '\2') as delivery,
            concat_ws(
                ' ', cast(exports.arrival_date as string), coalesce(cast(refreshed.refreshed_at as string), '-')
            ) as newness,
            coalesce(totals.lines, 0) as lines,
            totals.billed_amount
        from covered
        inner join exports on covered.export_id = exports.export_id
        left join refreshed on covered.export_id = refreshed.export_id
        left join
            totals
            on covered.export_id = totals.export_id
            and covered.grouping = totals.grouping
            and covered.scope_account = totals.scope_account
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
            deliveries as newer
            on former.vendor = newer.vendor
            and former.account = newer.account
            and former.source_kind = newer.source_kind
            and former.scope_account = newer.scope_account
            and former.period_start = newer.period_start
            and former.delivery <> newer.delivery
            and former.place < newer.place
        where newer.grouping = former.grouping or newer.is_empty
        group by former.export_id, former.source_kind, former.grouping, former.scope_account, former.period_start
    )

select deliveries.*, superseding.superseded_by_export_id
from deliveries
left join
    superseding
    on deliveries.export_id = superseding.export_id
    and deliveries.source_kind = superseding.source_kind
    and deliveries.grouping = superseding.grouping
    and deliveries.scope_account = superseding.scope_account
    and deliveries.period_start = superseding.period_start
