with
    listed as (select * from {{ ref("int_price_book_versions") }}),

    changes as (
        select
            version_sequence,
            cast(sum(moved_usd) as decimal(38, 12)) as moved_usd,
            count(distinct new_price_row_key) as rows
        from {{ ref("int_price_book_changes") }}
        group by version_sequence
    )

select
    listed.version_sequence,
    listed.price_book_version,
    listed.recorded_at,
    lead(listed.recorded_at) over (order by listed.version_sequence) as replaced_at,
    listed.catalogue_version,
    listed.overrides_hash,
    listed.compiler_version,
    coalesce(changes.rows, 0) as changed_price_rows,
    coalesce(changes.moved_usd, 0) as moved_usd
from listed
left join changes on listed.version_sequence = changes.version_sequence
