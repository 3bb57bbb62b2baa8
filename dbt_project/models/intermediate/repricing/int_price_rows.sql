-- Every version's rows, by its place in the list of versions; a version that returned
-- has two places.
select versions.version_sequence, versions.recorded_at as version_recorded_at, price_rows.* exclude (held_by_version)
from {{ ref("int_price_book_versions") }} as versions
inner join {{ ref("stg_price_book_history") }} as price_rows on versions.price_book_version = price_rows.held_by_version
