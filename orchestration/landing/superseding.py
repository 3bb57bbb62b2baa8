"""Rows that replace those of the same content: a file that is judged again, by hand or because its mapping changed.

Like compaction it is one more manifest, which repeats the rows of those it supersedes; except those of the contents that
were judged again, whose rows are new. Raw files and rejects that these shared with others are written again without them.
"""

import duckdb
import pyarrow as pa

from orchestration.landing.compaction import fold_manifests, manifests_of
from orchestration.landing.convert import open_database
from orchestration.landing.database import quoted
from orchestration.landing.manifests import manifest_files, rows_of
from orchestration.landing.raw_zone import MANIFEST, spool
from orchestration.settings import Settings
from orchestration.storage import sync

# Rows of a content that was judged again. Copies of it under other names (already_loaded) have none.
JUDGED = "(content_hash in (select content_hash from again) and file_status in ('loaded', 'rejected'))"
# What a load says anew of a name: of the same content, or of a file that was refused unread.
SAID_ANEW = """
    exists (
        select 1 from fresh
        where fresh.landing_file = former.landing_file and fresh.content_hash is not distinct from former.content_hash
    )
"""


def replace_rows(settings: Settings, source: str, rows: list[dict], load_id: str, contents: set[str]) -> None:
    """Makes the rows of a manifest count in place of all that earlier ones have of the same contents."""
    of_source = manifests_of(settings, source)
    counting = sorted(set(of_source) & set(manifest_files(settings)))
    with open_database(settings.memory_limit, spool(settings), "") as database:
        database.execute(f"create temp table former as from {rows_of(settings, counting)}")
        database.register("again", pa.table({"content_hash": pa.array(sorted(contents), pa.string())}))
        database.register("fresh", pa.Table.from_pylist(rows, MANIFEST))
        renamed = _without(settings, database, source, load_id)
        database.execute(
            f"""
            create temp table manifest as
            from former where not coalesce({JUDGED}, false) and not {SAID_ANEW}
            union all by name from fresh
            -- The name it was loaded under, if that was another, is a copy from now on: it is known, and when it arrived.
            union all by name
            select distinct
                source, landing_file, arrival_date, content_hash, size_bytes, modified_at, loaded_at, load_id,
                'already_loaded' as file_status, 0 as rows_in, 0 as rows_loaded, 0 as rows_rejected, 0 as rows_skipped,
                mapping_hash
            from former where {JUDGED} and not {SAID_ANEW}
            """  # noqa: S608
        )
        fold_manifests(settings, database, renamed, [path.stem for path in of_source], load_id)


def _without(
    settings: Settings, database: duckdb.DuckDBPyConnection, source: str, load_id: str
) -> list[tuple[str, str]]:
    """Writes what other contents have in the files that held these; returns (file of then, file of now)."""
    renamed: list[tuple[str, str]] = []
    for column, name in (
        ("raw_file", lambda row: f"{source}/event_date={row[1]}/load={load_id}-rest{len(renamed)}.parquet"),
        ("rejects_file", lambda _: f"_rejects/load={load_id}-rest{len(renamed)}.parquet"),
    ):
        held = database.execute(
            f"select distinct {column}, event_date from former where {JUDGED} and {column} is not null order by all"  # noqa: S608
        ).fetchall()
        for row in held:
            others = f"from former where {column} = $file and not coalesce({JUDGED}, false) and not {SAID_ANEW}"
            if not database.execute(f"{others} limit 1", {"file": row[0]}).fetchall():
                continue
            target = settings.raw / name(row)
            database.execute(
                f"""
                copy (
                    from read_parquet('{quoted(settings.raw / row[0])}', hive_partitioning = false)
                    where content_hash is null or content_hash not in (select content_hash from again)
                ) to '{quoted(target)}' (format parquet, compression zstd)
                """  # noqa: S608
            )
            sync(target)
            renamed.append((row[0], target.relative_to(settings.raw).as_posix()))
    return renamed
