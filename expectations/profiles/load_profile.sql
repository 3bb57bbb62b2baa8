-- One row per load, landing file and event date with its counts, and one more per
-- reject reason with the number of lines. Reads manifests only, so it works while dbt
-- runs. $manifests: glob of the manifest files; $as_of: the run's instant, UTC, of
-- which the day counts.
with
    every_manifest as (
        select *
        from read_parquet($manifests, union_by_name = true)
        union all by name
        -- what manifests of an earlier release lack
        select cast(null as bigint) as rows_skipped
        where false
    ),

    -- a compaction repeats the rows of the loads it supersedes
    manifests as (
        select * replace (coalesce(rows_skipped, 0) as rows_skipped)
        from every_manifest
        where load_id not in (select unnest(supersedes) from every_manifest where supersedes is not null)
    ),

    files as (
        select
            *,
            sum(rows_rejected) over (partition by load_id, landing_file, content_hash) as file_rows_rejected,
            sum(rows_in) over (partition by load_id, landing_file, content_hash) as file_rows_in
        from manifests
    ),

    counts as (
        select
            load_id,
            landing_file,
            event_date,
            coalesce(cast(event_date as varchar), 'no event date') as day,
            cast(null as varchar) as reason_code,
            rows_in,
            rows_loaded,
            rows_rejected,
            rows_skipped,
            coalesce(rows_in = rows_loaded + rows_rejected + rows_skipped, false) as is_accounted,
            least(rows_in, rows_loaded, rows_rejected, rows_skipped) as lowest_count,
            rows_rejected - coalesce(list_sum(map_values(rejects_by_reason)), 0) as rejects_without_reason,
            file_rows_rejected,
            file_rows_in,
            -- judged for a week after the load, once per file: later, nobody would send
            -- the file again, and a warning that never ends is ignored. The events of
            -- incidents are a line or two a file, written by people.
            case
                when
                    source <> 'incidents'
                    and loaded_at >= cast($as_of as date) - interval 7 days
                    and row_number() over (
                        partition by load_id, landing_file, content_hash order by event_date nulls first
                    )
                    = 1
                then cast(file_rows_rejected as double) / nullif(file_rows_in, 0)
            end as file_reject_share
        from files
    ),

    reasons as (
        select load_id, landing_file, event_date, unnest(map_entries(rejects_by_reason)) as reason from manifests
    )

select *
from counts

union all by name

select
    load_id,
    landing_file,
    event_date,
    coalesce(cast(event_date as varchar), 'no event date') as day,
    reason.key as reason_code,
    reason.value as rows_rejected,
    reason.value as lowest_count
from reasons

order by load_id, landing_file, event_date nulls first, reason_code nulls first
