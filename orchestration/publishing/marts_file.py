"""The published file: every mart of the checked warehouse, sorted for readers, and nothing else.

A next file begins as a copy of the former one, in which the dates that were built again and the marts whose rows differ are replaced:
a daily publication costs what is new, not the history. A file is made anew where there is none to begin with, where it is small, or
where so much of it was replaced that its free blocks are worth removing.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from orchestration.publishing.catalog import write_catalog
from orchestration.publishing.publications import replace_file
from orchestration.settings import Settings
from orchestration.storage import written_whole
from orchestration.warehouse import duckdb_config

# Rows of a block that a reader skips as a whole (DuckDB's default is 122,880, which is more than most days have). With the order below,
# a page that filters reads a part of a day: benchmarks/INBOX.md.
ROW_GROUP = 16_384
SORTED_BY = ("event_date", "environment", "data_mode", "endpoint_tag", "tenant_id", "user_id")
SMALL = 32 * 1024 * 1024  # bytes: making such a file costs less than finding out what changed in it
MOST_FREE = 1 / 3  # of the blocks of a file, then it is made anew
AT_ONCE = 500_000  # rows that are sorted together
Dates = dict[date, tuple]  # what each date of a mart was built from, and when
Columns = list[tuple[str, str]]  # names and types


@dataclass(frozen=True)
class Mart:
    """A table or view of the warehouse, with its dates where it is kept by date."""

    name: str
    is_view: bool
    columns: Columns
    dates: Dates


def write_marts(settings: Settings, target: Path, signature: str) -> None:
    """Write the file of a new publication; `target` is a link to the file of the former one, or missing."""
    if target.exists() and target.stat().st_size >= SMALL and _is_brought_up_to_date(settings, target, signature):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    with _both(settings, target) as connection:
        connection.execute("begin; create schema published.marts")
        for mart in _marts(connection):
            _create(connection, mart)
        _finish(connection, settings, signature)


def _is_brought_up_to_date(settings: Settings, target: Path, signature: str) -> bool:
    """Whether the former file could be made the next one, by what differs. One that is damaged, or of an earlier release, cannot."""
    replace_file(target, settings.published_marts.resolve())
    try:
        with _both(settings, target) as connection:
            [(free,)] = connection.execute(FREE).fetchall()
            dates = _dates(connection, FORMER, str(_memory(settings))) if _memory(settings).exists() else {}
            if free > MOST_FREE or not dates:
                return False
            marts = _marts(connection)
            connection.execute("begin")
            _update(connection, marts, dates)
            if not all(_ties(connection, mart) for mart in marts):
                return False
            _finish(connection, settings, signature)
            return True
    except duckdb.Error:  # a disk that is full is met again, by the file that is made anew
        return False


def _memory(settings: Settings) -> Path:
    """From what the dates of the last file that was written were built, with its signature. Like all state, it may be deleted."""
    return settings.state / "published_dates.parquet"


@contextmanager
def _both(settings: Settings, target: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The file that is written, and the warehouse by the name that its views know it by."""
    with duckdb.connect(config=duckdb_config(settings)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for path, name in (
            (settings.warehouse, "warehouse (read_only)"),
            (target, f"published (row_group_size {ROW_GROUP})"),
        ):
            address = str(path).replace("'", "''")
            connection.execute(f"attach '{address}' as {name}")
        yield connection


def _marts(connection: duckdb.DuckDBPyConnection) -> list[Mart]:
    """The marts of the warehouse by name."""
    built = _dates(connection, DATES)
    return [
        Mart(name, is_view, _columns(connection, "warehouse", name), built.get(name, {}))
        for name, is_view in connection.execute(NAMES, ["warehouse", "warehouse"]).fetchall()
    ]


NAMES = """
    select table_name, false from duckdb_tables() where database_name = ? and schema_name = 'marts'
    union all
    select view_name, true from duckdb_views() where database_name = ? and schema_name = 'marts'
    order by all
"""
DATES = """
    select model as mart, event_date, input_fingerprint, built_at from warehouse.tokentrail.built
    where model in (select table_name from duckdb_tables() where database_name = 'warehouse' and schema_name = 'marts')
    order by all
"""
FORMER = """
    select mart, event_date, input_fingerprint, built_at from read_parquet(?)
    where signature = (select signature from published.marts.publication)
"""
FREE = "select free_blocks / total_blocks from pragma_database_size() where database_name = 'published'"


def _dates(connection: duckdb.DuckDBPyConnection, sql: str, *parameters: str) -> dict[str, Dates]:
    dates: dict[str, Dates] = {}
    for mart, day, *built in connection.execute(sql, list(parameters)).fetchall():
        dates.setdefault(mart, {})[day] = tuple(built)
    return dates


SOME = "select * from {database}.marts.{mart} limit 0"
CREATE = "create or replace table published.marts.{mart} as select * from warehouse.marts.{mart} {limit}"
ROWS = "select event_date, count(*) from warehouse.marts.{mart} where {days} group by event_date order by 1"
DELETE = "delete from published.marts.{mart} where {days}"
INSERT = "insert into published.marts.{mart} select * from warehouse.marts.{mart} where {days} order by {order}"
CONTENT = """
    select count(*), sum(hash(mart)) from warehouse.marts.{mart} as mart
    union select count(*), sum(hash(mart)) from published.marts.{mart} as mart
"""
DIFFERENT = """
    select event_date from (
        select event_date, count(*) as attempts {cost} from published.marts.{mart} group by event_date
        union
        select event_date, count(*) {cost} from warehouse.marts.{mart} group by event_date
    ) as dates
    group by event_date having count(*) > 1
"""


def _columns(connection: duckdb.DuckDBPyConnection, database: str, mart: str) -> Columns:
    """As a query gives them: `duckdb_columns` would plan every view of both files."""
    about = connection.execute(SOME.format(database=database, mart=mart)).description or ()
    return [(name, str(kind)) for name, kind, *_ in about]


def _update(connection: duckdb.DuckDBPyConnection, marts: list[Mart], dates: dict[str, Dates]) -> None:
    """Replace what differs; `dates` are those of the file."""
    former = {name for name, _ in connection.execute(NAMES, ["published", "published"]).fetchall()}
    for name in former - {mart.name for mart in marts}:
        connection.execute(f"drop table published.marts.{name}")
    for mart in marts:
        had = dates.get(mart.name, {})
        changed = sorted(day for day in had.keys() | mart.dates.keys() if had.get(day) != mart.dates.get(day))
        if mart.name not in former or _columns(connection, "published", mart.name) != mart.columns:
            _create(connection, mart)
        elif mart.dates and len(changed) <= len(mart.dates) / 2:
            _replace(connection, mart, changed)
        elif mart.dates or mart.is_view or len(connection.execute(CONTENT.format(mart=mart.name)).fetchall()) > 1:
            _create(connection, mart)


def _create(connection: duckdb.DuckDBPyConnection, mart: Mart) -> None:
    """The mart as a new table."""
    connection.execute(CREATE.format(mart=mart.name, limit="limit 0" if mart.dates else ""))
    if mart.dates:
        _insert(connection, mart, "true")


def _replace(connection: duckdb.DuckDBPyConnection, mart: Mart, days: list[date]) -> None:
    """Some dates of a table that stays."""
    if days:
        connection.execute(DELETE.format(mart=mart.name, days=_among(days)))
        _insert(connection, mart, _among(days))


def _insert(connection: duckdb.DuckDBPyConnection, mart: Mart, days: str) -> None:
    """Rows of some days, of as many at a time as are sorted in memory."""
    order = ", ".join(name for name in SORTED_BY if name in dict(mart.columns))
    batch: list[date | None] = []
    size = 0
    for day, rows in connection.execute(ROWS.format(mart=mart.name, days=days)).fetchall():
        if batch and size + rows > AT_ONCE:
            connection.execute(INSERT.format(mart=mart.name, days=_among(batch), order=order))
            batch, size = [], 0
        batch, size = [*batch, day], size + rows
    if batch:
        connection.execute(INSERT.format(mart=mart.name, days=_among(batch), order=order))


def _among(days: Sequence[date | None]) -> str:
    """A condition: these days, as literals, so that the other blocks are not read."""
    listed = ", ".join(f"date '{day}'" for day in days if day)
    undated = " or event_date is null" if None in days else ""
    return f"(event_date in ({listed or 'null'}){undated})"


def _ties(connection: duckdb.DuckDBPyConnection, mart: Mart) -> bool:
    """Whether each date has as many rows as in the warehouse, and costs as much."""
    cost = ", sum(cost_usd)" if "cost_usd" in dict(mart.columns) else ""
    return not mart.dates or not connection.execute(DIFFERENT.format(mart=mart.name, cost=cost)).fetchall()


def _finish(connection: duckdb.DuckDBPyConnection, settings: Settings, signature: str) -> None:
    """Say what the file is, and write it out. The warehouse is let go before, because its marts have the same names."""
    connection.execute("commit")
    with written_whole(_memory(settings)) as partial:
        built = connection.sql(f"select ? as signature, built.* from ({DATES}) as built", params=[signature])  # noqa: S608 - SQL of ours
        built.write_parquet(str(partial))
    connection.execute("detach warehouse; use published")
    write_catalog(connection, settings, signature)
    connection.execute("checkpoint; use memory; detach published")
