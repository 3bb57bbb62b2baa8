"""Compaction: a past day in one raw file, and one manifest for many. No row changes, and no reader notices."""

from datetime import date
from pathlib import Path

from orchestration.landing.convert import merge, open_database
from orchestration.landing.database import open_memory, quoted
from orchestration.landing.manifests import manifest_files, manifest_path, manifests_on_disk, rows_of
from orchestration.landing.raw_zone import new_load_id, one_loader, remove_leftovers, spool
from orchestration.landing.trouble import trouble_in_a_sentence
from orchestration.settings import Settings
from orchestration.storage import sync, written_whole

# Every file costs a reader an open: a past day may have this many, and the manifest folder that many manifests.
FILES_PER_DAY = 8
MANIFESTS = 64
SMALL_BYTES = 64 << 20  # larger files stay as they are: writing them again gains nothing


def compact(settings: Settings, source: str = "events") -> dict[str, int]:
    """Merges the small files of past days and folds the source's manifests into one, when there are many of either.

    What is replaced stays on disk for a day, for readers that have listed it. Returns what was done: dates, files and
    manifests merged. Raises LoadInProgress and LoadStopped.
    """
    with one_loader(settings), trouble_in_a_sentence(settings, f"Compacting {source}"):
        remove_leftovers(settings)
        return compact_held(settings, source)


def compact_held(settings: Settings, source: str) -> dict[str, int]:
    """`compact` for the owner of the lock."""
    nothing = {"dates": 0, "files": 0, "manifests": 0}
    has_many_files = _has_a_day_of_many_files(settings, source)
    if len(manifests_on_disk(settings)) <= MANIFESTS and not has_many_files:
        return nothing  # so it is after most loads: the manifests need not be read
    of_source = manifests_of(settings, source)
    folded = sorted(set(of_source) & set(manifest_files(settings)))
    if not folded or (len(folded) <= MANIFESTS and not has_many_files):
        return nothing
    spool(settings).mkdir(parents=True, exist_ok=True)
    with open_database(settings.memory_limit, spool(settings), "") as database:
        database.execute(f"create view manifest as from {rows_of(settings, folded)}")
        merges = _worth_merging(settings, database)
        if not merges and len(folded) <= MANIFESTS:
            return nothing
        load_id = new_load_id()
        renamed = _merge_days(settings, database, merges, source, load_id)
        # All manifests on disk, those superseded before too: whichever is deleted first, none comes back to life.
        fold_manifests(settings, database, renamed, [path.stem for path in of_source], load_id)
    return {"dates": len(merges), "files": len(renamed), "manifests": len(folded)}


def _has_a_day_of_many_files(settings: Settings, source: str) -> bool:
    """Whether merging can be worth it, by what is on disk: most loads need not ask the manifests."""
    days = (settings.raw / source).glob("event_date=*")
    return any(len(list(day.glob("*.parquet"))) > FILES_PER_DAY for day in days)


def _worth_merging(settings: Settings, database) -> dict[date, list[str]]:
    """Past event date -> its small raw files, where there are more than FILES_PER_DAY."""
    days = database.execute(
        "select event_date, list(distinct raw_file order by raw_file) from manifest "
        "where raw_file is not null and event_date < ? group by all having count(distinct raw_file) > ?",
        [settings.as_of.date(), FILES_PER_DAY],
    ).fetchall()
    small = {day: [file for file in files if (settings.raw / file).stat().st_size < SMALL_BYTES] for day, files in days}
    return {day: files for day, files in sorted(small.items()) if len(files) > FILES_PER_DAY}


def _merge_days(settings, database, merges, source, load_id) -> list[tuple[str, str]]:
    renamed: list[tuple[str, str]] = []
    for number, (day, files) in enumerate(merges.items()):
        target = f"{source}/event_date={day}/load={load_id}-{number}.parquet"
        parts = [settings.raw / file for file in files]
        merge(database, parts, settings.raw / target)
        sync(settings.raw / target)
        renamed.extend((file, target) for file in files)
    return renamed


def manifests_of(settings: Settings, source: str) -> list[Path]:
    """Every manifest of a source on disk, superseded ones included."""
    with open_memory(settings) as database:
        rows = rows_of(settings, manifests_on_disk(settings))
        of_source = f"select distinct load_id from {rows} where source = '{quoted(source)}' order by load_id"  # noqa: S608
        return [manifest_path(settings, load_id) for (load_id,) in database.execute(of_source).fetchall()]


def fold_manifests(
    settings: Settings, database, renamed: list[tuple[str, str]], supersedes: list[str], load_id: str
) -> None:
    """Repeats every row of `manifest` under the new load id, with the files of now (`renamed`: of then, of now).

    The first row says which manifests are superseded. From the rename at the end on, readers see this one.
    """
    database.execute("create temp table renamed (former varchar, target varchar)")
    if renamed:
        database.executemany("insert into renamed values (?, ?)", renamed)
    with written_whole(manifest_path(settings, load_id)) as partial:
        database.execute(
            f"""
            copy (
                select manifest.* replace (
                    '{load_id}' as load_id,
                    coalesce(raw.target, raw_file) as raw_file,
                    coalesce(refused.target, rejects_file) as rejects_file,
                    case when row_number() over () = 1 then $supersedes::varchar[] end as supersedes
                )
                from manifest
                left join renamed as raw on raw_file = raw.former
                left join renamed as refused on rejects_file = refused.former
            ) to '{quoted(partial)}' (format parquet, compression zstd)
            """,  # noqa: S608
            {"supersedes": supersedes},
        )
