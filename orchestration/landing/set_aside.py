"""Lines that stop a publication leave it by hand: `make set-aside FILE=events/dt=.../x.jsonl LINE=412 REASON="..."`, and `make take-back`.

A line is known by the hash of its file's content, its number and its item, so a copy of the file under another name does not
bring it back. Decisions are kept in ledger/set_aside/log.jsonl, the last one about a line counts, and the next run rebuilds
the dates it touches. Only manifests and raw files are read here: it works where the warehouse is broken or does not exist.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from shlex import quote

import duckdb

from orchestration.landing.database import quoted
from orchestration.landing.manifests import manifest_files, manifest_rows_sql
from orchestration.ledger import one_writer, read_log
from orchestration.settings import Settings
from orchestration.warehouse import duckdb_config

NOT_USAGE = ("incidents",)  # the event of an incident is corrected by landing another


class NoSuchLineError(LookupError):
    """A line that cannot be set aside, or taken back; the message says why and what to do."""


@dataclass(frozen=True)
class LoadedLine:
    """A line of a landing file as the raw zone has it."""

    landing_file: str
    line_number: int
    content_hash: str
    request_id: str
    event_date: date

    def __str__(self) -> str:
        return f"landing/{self.landing_file} line {self.line_number} (request {self.request_id}, {self.event_date})"


def folder(settings: Settings) -> Path:
    """Where the ledger keeps what was set aside."""
    return settings.ledger / "set_aside"


def decide(
    settings: Settings, action: str, name: str, line_number: int, *, item: int = 1, actor: str, reason: str
) -> str:
    """Set a line aside, or take it back (`action` of the log); returns the sentence for whoever asked.

    Raises NoSuchLineError for a line that no load brought, and for one that is aside, or is not, already; LockHeldError.
    """
    if item != 1 and _source_of(name) == "events":
        raise NoSuchLineError(f"ITEM is {item}: a line of events has one item, so leave ITEM out.")
    line = find_line(settings, name, line_number, item)
    key = {"content_hash": line.content_hash, "line_number": line.line_number, "item": item}
    key = {"source": _source_of(line.landing_file)} | key
    with one_writer(folder(settings)) as append:
        decisions, _ = read_log(folder(settings))
        before = next((one["action"] for one in reversed(decisions) if key.items() <= one.items()), "taken_back")
        if before == action:
            state = "set aside already" if action == "set_aside" else "not set aside"
            raise NoSuchLineError(f"{line} is {state}: nothing was written.")
        words = {"actor": actor, "reason": reason, "landing_file": line.landing_file}
        sequence = max((one["sequence"] for one in decisions), default=0) + 1
        append([key | {"sequence": sequence, "action": action} | words])
    if action == "set_aside":
        return (
            f"{line} is set aside: the next run publishes without it, and rejected_events says so. "
            f"`make take-back FILE={quote(line.landing_file)} LINE={line_number}` counts it again."
        )
    return f"{line} counts again from the next run on."


def _source_of(name: str) -> str:
    return name.strip().removeprefix("./").removeprefix("landing/").split("/")[0]


def find_line(settings: Settings, name: str, line_number: int, item: int = 1) -> LoadedLine:
    """The line of a landing file, given by its path under the landing folder. Raises NoSuchLineError when it was not loaded."""
    path = name.strip().removeprefix("./").removeprefix("landing/")
    has_items = _source_of(path) != "events"
    if "/" not in path or path.split("/")[0] in NOT_USAGE:
        raise NoSuchLineError(
            f"FILE is {name!r}: give a file of events by its path under the landing folder, such as "
            "events/dt=2026-11-21/x.jsonl, as rejected_events and the messages of a run write it."
        )
    if not (settings.raw / "_loads").exists() or not manifest_files(settings):
        raise NoSuchLineError(f"{settings.raw} has no load yet, so there is nothing to set aside: `make run` first.")
    with duckdb.connect(config=duckdb_config(settings)) as database:
        contents = list(_contents(settings, database, path))
        if not contents:
            raise NoSuchLineError(
                f"landing/{path}: no load has taken in a file of this name. {_alike(settings, database, path)}"
            )
        for content_hash, raw_files in contents:
            listed = ", ".join(f"'{quoted(settings.raw / file)}'" for file in raw_files)
            found = (
                listed
                and database.execute(
                    f"""
                select external_request_id, cast(occurred_at as date)
                from read_parquet([{listed}], hive_partitioning = false, union_by_name = true)
                where content_hash = ? and line_number = ? {"and item = ?" if has_items else ""}
                """,  # noqa: S608
                    [content_hash, line_number, *([item] if has_items else [])],
                ).fetchone()
            )
            if found:
                return LoadedLine(path, line_number, content_hash, *found)
        raise NoSuchLineError(_why_not_loaded(settings, database, path, line_number))


def _contents(settings: Settings, database: duckdb.DuckDBPyConnection, path: str) -> Iterator[tuple[str, list[str]]]:
    """(content hash, raw files that hold its rows) of the contents that landed under a name, the last first."""
    rows = manifest_rows_sql(settings)
    contents = database.execute(
        f"""
        select content_hash from {rows} where landing_file = ? and content_hash is not null
        group by content_hash order by max(loaded_at) desc
        """,  # noqa: S608
        [path],
    ).fetchall()
    for (content_hash,) in contents:
        # a copy under another name has no rows of its own: they stand where the content was first loaded
        files = database.execute(
            f"select distinct raw_file from {rows} where content_hash = ? and raw_file is not null",  # noqa: S608
            [content_hash],
        ).fetchall()
        yield content_hash, [file for (file,) in files]


def _alike(settings: Settings, database: duckdb.DuckDBPyConnection, path: str) -> str:
    """The names nearest to one that is not known, in a sentence."""
    names = database.execute(
        f"""
        select distinct landing_file from {manifest_rows_sql(settings)} where source = split_part(?, '/', 1) and landing_file is not null
        order by levenshtein(landing_file, ?), landing_file limit 3
        """,  # noqa: S608
        [path, path],
    ).fetchall()
    return f"Is it {', or '.join(file for (file,) in names)}?" if names else "No file of events was loaded so far."


def _why_not_loaded(settings: Settings, database: duckdb.DuckDBPyConnection, path: str, line_number: int) -> str:
    files = database.execute(
        f"select distinct rejects_file from {manifest_rows_sql(settings)} where landing_file = ? and rejects_file is not null",  # noqa: S608
        [path],
    ).fetchall()
    listed = ", ".join(f"'{quoted(settings.raw / file)}'" for (file,) in files)
    refused = (
        listed
        and database.execute(
            f"""
        select message from read_parquet([{listed}], hive_partitioning = false)
        where landing_file = ? and line_number = ?
        """,  # noqa: S608
            [path, line_number],
        ).fetchone()
    )
    if refused:
        return f"There is nothing to set aside, the line was refused when it was loaded. {refused[0]}"
    return f"landing/{path} has no loaded line {line_number}: lines count from 1, blank ones included."
