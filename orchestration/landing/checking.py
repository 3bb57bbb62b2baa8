"""A file of one's own, judged as the loader would and loaded nowhere: what its sender would find in `rejected_events`, and more.

The rows are those of a load: read_blocks reads the file, convert.py types and judges its lines. A load stops at the first
rule that a line breaks; here every one is named. Nothing is written but what DuckDB spills, in a folder of the system's own.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa

from orchestration.landing.convert import Converted, judge, open_database
from orchestration.landing.fields import FIELDS, RAW_COLUMNS
from orchestration.landing.files import LandingFile, judged, reading
from orchestration.landing.lines import Block, Broken, read_blocks
from orchestration.landing.load import MAPPED_BYTES, WHOLE_BYTES, is_hopeless, table_of
from orchestration.landing.mapped import mapped
from orchestration.landing.mapping import Mapping
from orchestration.landing.reasons import FILE_PROBLEMS
from orchestration.landing.sources import source_of
from orchestration.settings import Settings

KEPT_LINES = 10_000  # refused lines that are named; of more, only the reasons are counted
ANY_DAY = "events/dt=2000-01-01"  # the folder in which a name is judged
COLUMNS = {"event_date": "DATE"} | {
    name: kind
    for name, kind in RAW_COLUMNS.items()
    if name not in ("content_hash", "load_id", "metadata", "source", "source_version")
}


@dataclass(frozen=True)
class Refused:
    """A line that a load would refuse (line_number 0: the file, or the rest of it), with its reasons: (code, detail)."""

    line_number: int
    reasons: list[tuple[str, str]]


@dataclass
class Checked:
    """What a load would make of a file. Its good lines are in the table `good` of `database`, in the columns of the raw zone."""

    path: Path
    database: duckdb.DuckDBPyConnection
    good: int = 0
    refused_lines: int = 0
    refused: list[Refused] = field(default_factory=list)
    by_reason: Counter[str] = field(default_factory=Counter)  # every reason of a line
    unknown_fields: Counter[str] = field(default_factory=Counter)  # lines that have a field the loader does not know
    skips: Counter[str] = field(default_factory=Counter)  # items that are not calls, by reason
    source: str = "events"
    hints: dict[str, str] = field(default_factory=dict)  # required field -> what to do where it is missing

    @property
    def lines(self) -> int:
        """Lines that were read, blank ones apart; of a source with a mapping, the items in them."""
        return self.good + self.refused_lines + self.skips.total()

    @property
    def is_good(self) -> bool:
        """Whether a load would refuse nothing of it."""
        return not self.by_reason

    def refuse(self, line_number: int, reasons: list[tuple[str, str]]) -> None:
        """Count in a line, or with line_number 0 the file."""
        self.refused_lines += bool(line_number)
        self.by_reason.update({code for code, _ in reasons})
        if len(self.refused) < KEPT_LINES or not line_number:
            self.refused.append(Refused(line_number, reasons))


@contextmanager
def checked(path: Path, settings: Settings, source: str = "events") -> Iterator[Checked]:
    """Judges a file of a source in any format that lands.

    Raises OSError or duckdb.Error for trouble of the machine, and MappingError.
    """
    mapping = source_of(settings, source).mapping
    with (
        TemporaryDirectory(prefix="tokentrail-check-") as spill,
        open_database(settings.memory_limit, Path(spill), settings.id_secret) as database,
    ):
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        database.execute(f"create temp table good ({columns})")
        found = Checked(path, database, source=source, hints=mapping.hints if mapping else {})
        # a link is followed: who checks a file lands a copy of it
        is_json = mapping is not None and mapping.takes_any_name
        file = judged(LandingFile(f"{ANY_DAY}/{path.name}", path.stat().st_size, "", is_json=is_json))
        if file.problem:
            found.refuse(0, [(file.problem, FILE_PROBLEMS[file.problem])])
        else:
            with reading(file):
                has_batches = mapping is not None
                pages = mapping.pages if mapping else ()
                blocks = read_blocks(
                    path, file.extension, settings, database, not has_batches, has_batches, pages=pages
                )
                for broken, rows in _gathered(blocks, mapping, file.stem):
                    if _is_given_up(found, broken, rows, settings, mapping):
                        break
        found.refused.sort(key=lambda refused: refused.line_number)
        yield found


def _gathered(
    blocks: Iterator[Block], mapping: Mapping | None, stem: str
) -> Iterator[tuple[list[Broken], pa.Table | None]]:
    """What broke, and the rows that are judged together: those of a block or, as in a load, as many as a mapping takes."""
    most = 0 if mapping is None else MAPPED_BYTES if mapping.is_split else WHOLE_BYTES
    tables: list[pa.Table] = []
    for block in blocks:
        yield block.broken, None
        if len(block.numbers):
            tables.append(table_of("", block, stem if mapping else None))
        if tables and sum(table.nbytes for table in tables) > most:
            yield [], pa.concat_tables(tables, promote_options="default")
            tables = []
    if tables:
        yield [], pa.concat_tables(tables, promote_options="default")


def _is_given_up(
    found: Checked, broken: list[Broken], rows: pa.Table | None, settings: Settings, mapping: Mapping | None
) -> bool:
    """Counts in rows and what broke; whether a load would read no further, because nearly all lines so far are refused."""
    for one in broken:
        found.refuse(one.line_number, [(one.reason_code, one.detail)])
    if rows is not None:
        database = found.database

        def judged_rows(rows: pa.Table | None) -> Converted:
            if rows is None:
                return Converted({}, {}, [])
            return judge(database, rows, settings.id_secret, lambda there, keys: _take(found, there, keys), True)

        judged_lines = judged_rows(rows) if mapping is None else mapped(database, mapping, rows, judged_rows)
        for skips in judged_lines.skips.values():
            found.skips.update(skips)
        for _, number, _, reason, _ in judged_lines.rejects:  # a line that could not be judged with the others
            found.refuse(number, [_parted(reason)])
    if is_hopeless(found.refused_lines, found.good, settings):
        found.refuse(0, [("file_given_up", f"{found.refused_lines:,} of {found.lines:,} lines read would be refused")])
        return True
    return False


def _take(found: Checked, there: set[str], keys: list[dict]) -> Converted:
    """Moves the good rows of `typed` into `good` and counts in the others."""
    values = dict.fromkeys(COLUMNS, "null") | {name: name for name in COLUMNS if name in there}
    columns = ", ".join(f"{values[name]}::{kind}" for name, kind in COLUMNS.items())
    refused = found.database.execute("select line_number, reasons from typed where reason is not null").fetchall()
    taken = found.database.execute(
        f"insert into good select {columns} from typed where reason is null"  # noqa: S608 - our columns
    ).fetchone()
    for each in keys:
        found.unknown_fields.update(dict.fromkeys(set(each["keys"] or ()).difference(FIELDS), each["rows"]))
    found.good += taken[0] if taken else 0
    for number, reasons in refused:
        found.refuse(number, [_hinted(found, *_parted(reason)) for reason in reasons])
    return Converted({}, {}, [])


def _hinted(found: Checked, code: str, detail: str) -> tuple[str, str]:
    """A reason with what the mapping of the source says of a field that is missing."""
    hint = found.hints.get(detail.removesuffix(" is missing")) if code == "missing_field" else None
    return code, f"{detail} ({hint})" if hint else detail


def _parted(reason: str) -> tuple[str, str]:
    code, _, detail = reason.partition("\t")
    return code, detail
