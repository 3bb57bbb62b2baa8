{#- What one version of the price book changed in the one before it, and the money that moved. Every step is a macro over relations, because
    two ask: the models here of the versions in the ledger, and `make price-diff` of a version that is not in force yet. -#}
{#- Every version's rows, by its place in the list of versions; a version that returned has two places. -#}
{% macro price_book_history() %}
    {%- set book = data_root() ~ "/ledger/price_book/" -%}
    {%- set folders = [] -%}
    {%- if execute -%}
        {%- set listed -%} select distinct price_book_version from {{ price_book_versions_listed() }} order by 1 {%- endset -%}
        {%- for version in run_query(listed).columns[0].values() -%}
            {%- do folders.append(book ~ version ~ "/*.parquet") -%}
        {%- endfor -%}
    {%- endif %}
    (
        select
            listed.version_sequence,
            listed.version_recorded_at,
            rows_of.* exclude (fallback_leaves),
            rows_of.fallback_leaves as fallback_token_kinds
        from {{ price_book_versions_listed() }} as listed
        inner join
            {{ parquet_files(folders or [book ~ "*/*.parquet"], filename="file") }} as rows_of
            on {{ folder_of("rows_of.file") }} = listed.price_book_version
    )
{% endmacro %}

{#- The lines of versions.jsonl in the order in which they came into force. -#}
{% macro price_book_versions_listed() %}
    (
        select
            row_number() over (order by recorded_at) as version_sequence,
            price_book_version,
            cast(recorded_at as timestamp) as version_recorded_at,
            catalogue_version,
            overrides_hash,
            compiler_version
        from {{ json_lines(data_root() ~ "/ledger/price_book/versions.jsonl") }}
        where price_book_version is not null
    )
{% endmacro %}

{% macro has_price(row) -%}
    coalesce(
        {% for kind in token_kinds() if kind.name != "billed_requests" %}
            {{ row }}.{{ kind.name }}_price_usd,
        {% endfor %} -1
    )
    >= 0
{%- endmacro %}

{#- Each version's rows by who pays them: everybody (`payer_id` NULL) and each tenant with prices of its own there or in a version beside it.
    While a tenant has none it pays what everybody does, exactly as `priced` has it. -#}
{% macro prices_paid(book) %}
    with
        own as (
            select
                version_sequence,
                {{ price_key_columns() }},
                tenant_id,
                case when count(*) = count(valid_from) then min(valid_from) end as own_from,
                case when count(*) = count(valid_to) then max(valid_to) end as own_to
            from {{ book }}
            where tenant_id is not null
            group by version_sequence, {{ price_key_columns() }}, tenant_id
        ),

        beside as (
            select version_sequence + 1 as version_sequence, {{ price_key_columns() }}, tenant_id
            from own
            union
            select version_sequence - 1, {{ price_key_columns() }}, tenant_id
            from own
        ),

        as_everybody as (
            select own.* exclude (own_from, own_to), cast(null as timestamp) as since, own_from as until
            from own
            where own_from is not null
            union all
            select own.* exclude (own_from, own_to), own_to, null
            from own
            where own_to is not null
            union all
            select beside.*, null, null
            from beside
            left join
                own on {{ same_price_key("beside", "own", ["version_sequence"]) }} and beside.tenant_id = own.tenant_id
            where own.tenant_id is null
        )

    select everything.*, tenant_id as payer_id
    from {{ book }} as everything
    union all
    select
        everybody.* replace (
            case
                when everybody.valid_from > as_everybody.since
                then everybody.valid_from
                else coalesce(as_everybody.since, everybody.valid_from)
            end as valid_from,
            case
                when everybody.valid_to < as_everybody.until
                then everybody.valid_to
                else coalesce(as_everybody.until, everybody.valid_to)
            end as valid_to
        ),
        as_everybody.tenant_id
    from {{ book }} as everybody
    inner join
        as_everybody
        on {{ same_price_key("everybody", "as_everybody", ["version_sequence"]) }}
        and everybody.tenant_id is null
        and coalesce(everybody.valid_from < as_everybody.until, true)
        and coalesce(as_everybody.since < everybody.valid_to, true)
{% endmacro %}

{#- One row per version, price key and stretch (time, hours, input size) whose price is not the one of the version before. Keys that the older
    version never saw are no change. A tenant's changes are those in which its own prices stand on either side; in all others it is everybody. -#}
{% macro price_changes(history) %}
    with
        book as (select * from {{ history }}),

        paid as ({{ prices_paid("book") }}),

        paired as (
            select new.version_sequence, old as old_row, new as new_row
            from paid as old
            inner join
                paid as new
                on new.version_sequence = old.version_sequence + 1
                and {{ same_price_key("old", "new") }}
                and old.payer_id is not distinct from new.payer_id
                and old.price_row_key <> new.price_row_key
                and coalesce(old.valid_from < new.valid_to, true)
                and coalesce(new.valid_from < old.valid_to, true)
                and old.day_second_from < new.day_second_to
                and new.day_second_from < old.day_second_to
                and coalesce(old.input_tokens_from < new.input_tokens_to, true)
                and coalesce(new.input_tokens_from < old.input_tokens_to, true)
            where old.payer_id is null or old.tenant_id is not null or new.tenant_id is not null
        )

    select
        version_sequence,
        new_row.version_recorded_at as version_recorded_at,
        {%- for column in price_key_columns().split(", ") %} new_row.{{ column }} as {{ column }}, {%- endfor %}
        new_row.payer_id as tenant_id,
        old_row.price_row_key as old_price_row_key,
        new_row.price_row_key as new_price_row_key,
        case
            when not ({{ has_price("old_row") }})
            then 'added'
            when not ({{ has_price("new_row") }})
            then 'retracted'
            else 'changed'
        end as change_type,
        case
            when old_row.valid_from is null or new_row.valid_from > old_row.valid_from
            then new_row.valid_from
            else old_row.valid_from
        end as valid_from,
        case
            when old_row.valid_to is null or new_row.valid_to < old_row.valid_to
            then new_row.valid_to
            else old_row.valid_to
        end as valid_to,
        old_row.uncached_input_price_usd as old_input_price_usd,
        new_row.uncached_input_price_usd as new_input_price_usd,
        old_row.text_output_price_usd as old_output_price_usd,
        new_row.text_output_price_usd as new_output_price_usd,
        old_row.source as old_source,
        new_row.source as new_source,
        {{ text_list("new_row.adjustments") }} as adjustments,
        new_row.approved_by as approved_by
    from paired
{% endmacro %}

{#- Attempts of before a version that it prices anew, at both prices, summed by day and pair of price rows. `attempts` is fct_attempts or a part
    of it. What came later was priced so from the start: it moved nothing, and a new day never looks at an old change. -#}
{% macro moved_by_price_changes(attempts, changes, book) %}
    with
        touched as (
            select
                version_sequence,
                version_recorded_at,
                {{ price_key_columns() }},
                min(coalesce(valid_from, timestamp '0001-01-01')) as first_instant,
                max(coalesce(valid_to, timestamp '9999-01-01')) as last_instant
            from {{ changes }}
            group by version_sequence, version_recorded_at, {{ price_key_columns() }}
        ),

        sides as (
            select touched.*, version_sequence as change_sequence, 'after' as side
            from touched
            union all
            select touched.* replace (version_sequence - 1 as version_sequence), version_sequence, 'before'
            from touched
        ),

        used as (
            select
                attempts.source,
                attempts.event_date,
                attempts.environment,
                attempts.data_mode,
                attempts.attempt_key,
                attempts.occurred_at,
                attempts.tenant_id,
                attempts.input_tokens,
                attempts.other_usage,
                {%- for column in price_key_columns().split(", ") %} attempts.{{ column }}, {%- endfor %}
                {%- for kind in token_kinds() %} attempts.{{ kind.quantity }}, {%- endfor %}
                sides.version_sequence,
                sides.change_sequence,
                sides.side
            from {{ attempts }} as attempts
            inner join
                sides
                on {{ same_price_key("attempts", "sides") }}
                and attempts.occurred_at >= sides.first_instant
                and attempts.occurred_at < sides.last_instant
                and attempts.occurred_at < sides.version_recorded_at
        ),

        repriced as ({{ priced("used", book, also=["version_sequence"]) }}),

        compared as (
            select
                change_sequence as version_sequence,
                event_date,
                environment,
                data_mode,
                {{ price_key_columns() }},
                {%- for side in ["before", "after"] %}
                    max(case when side = '{{ side }}' then price_row_key end) as price_row_key_{{ side }},
                    max(case when side = '{{ side }}' then cost_usd end) as cost_{{ side }}_usd,
                {%- endfor %}
                attempt_key
            from repriced
            group by change_sequence, event_date, source, environment, data_mode, attempt_key, {{ price_key_columns() }}
        )

    select
        version_sequence,
        event_date,
        environment,
        data_mode,
        {{ price_key_columns() }},
        price_row_key_before as old_price_row_key,
        price_row_key_after as new_price_row_key,
        count(*) as attempts,
        count(cost_before_usd) as priced_attempts_before,
        count(cost_after_usd) as priced_attempts_after,
        cast(sum(cost_before_usd) as decimal(38, 12)) as cost_before_usd,
        cast(sum(cost_after_usd) as decimal(38, 12)) as cost_after_usd
    from compared
    where price_row_key_before is distinct from price_row_key_after
    group by
        version_sequence,
        event_date,
        environment,
        data_mode,
        {{ price_key_columns() }},
        price_row_key_before,
        price_row_key_after
{% endmacro %}

{#- One row per version, price key, pair of price rows and month of use; without a month where nothing was used at the price. -#}
{% macro price_changes_by_month(changes, moved) %}
    {%- set pair = price_key_columns() ~ ", old_price_row_key, new_price_row_key" %}
    with
        pairs as (
            select
                version_sequence,
                {{ pair }},
                max(tenant_id) as tenant_id,
                max(change_type) as change_type,
                case when count(*) = count(valid_from) then min(valid_from) end as valid_from,
                case when count(*) = count(valid_to) then max(valid_to) end as valid_to,
                {%- for column in ["input_price_usd", "output_price_usd", "source"] %}
                    max(old_{{ column }}) as old_{{ column }}, max(new_{{ column }}) as new_{{ column }},
                {%- endfor %}
                nullif(max(adjustments), '') as adjustments,
                max(approved_by) as approved_by
            from {{ changes }}
            group by version_sequence, {{ pair }}
        ),

        months as (
            select
                version_sequence,
                {{ pair }},
                cast(date_trunc('month', event_date) as date) as usage_month,
                environment,
                data_mode,
                {%- for count in ["attempts", "priced_attempts_before", "priced_attempts_after"] %}
                    cast(sum({{ count }}) as bigint) as {{ count }},
                {%- endfor %}
                cast(sum(cost_before_usd) as decimal(38, 12)) as cost_before_usd,
                cast(sum(cost_after_usd) as decimal(38, 12)) as cost_after_usd
            from {{ moved }}
            group by version_sequence, {{ pair }}, date_trunc('month', event_date), environment, data_mode
        )

    select
        pairs.*,
        months.usage_month,
        coalesce(months.environment, '(none)') as environment,
        coalesce(months.data_mode, '(none)') as data_mode,
        coalesce(months.attempts, 0) as attempts,
        coalesce(months.priced_attempts_before, 0) as priced_attempts_before,
        coalesce(months.priced_attempts_after, 0) as priced_attempts_after,
        months.cost_before_usd,
        months.cost_after_usd,
        cast(coalesce(months.cost_after_usd, 0) - coalesce(months.cost_before_usd, 0) as decimal(38, 12)) as moved_usd
    from pairs
    left join
        months
        on pairs.version_sequence = months.version_sequence
        and {{ same_price_key("pairs", "months") }}
        and pairs.old_price_row_key = months.old_price_row_key
        and pairs.new_price_row_key = months.new_price_row_key
{% endmacro %}
