"""A team's folder begun: commented files to fill in, and what a checkout of an earlier release has in the code."""

import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

from orchestration.settings import TEAMS
from orchestration.storage import write_whole
from orchestration.team.files import Fields, Table, read_table
from orchestration.team.folder import PRICES, TEAM_FILES
from orchestration.team.rows import SHIPPED, TeamFileError

STARTER = Path(__file__).with_name("starter")
SEEDS, OVERRIDES = Path("dbt_project", "seeds"), Path("pricing", "overrides")  # where earlier releases had them


def write_starter(team: Path) -> tuple[list[str], list[str]]:
    """Writes each file of the starter that is not there yet; returns the names of those, and of those that stay as they are."""
    written, kept = list[str](), list[str]()
    for source in sorted(path for path in STARTER.rglob("*") if path.is_file()):
        name = source.relative_to(STARTER)
        if (team / name).exists():
            kept.append(str(name))
        else:
            write_whole(team / name, source.read_bytes())
            written.append(str(name))
    return written, kept


def move_from(checkout: Path, team: Path) -> Iterator[str]:
    """Copies what a team edited in a checkout of an earlier release, and says for each file what it did.

    A row that this release ships, or that is the demo's, is nobody's edit and is left out. Raises TeamFileError where there is nothing
    of an earlier release, or a file cannot be read.
    """
    if not (checkout / SEEDS).is_dir():
        raise TeamFileError(
            f"{checkout} has no {SEEDS}: FROM is the checkout of an earlier release, in which seeds and overrides were edited."
        )
    sources = [path for file in TEAM_FILES if (path := checkout / SEEDS / file.file).exists()]
    tables = {path: read_table(path) for path in sources}
    problems = [f"{path.parent}: {problem}" for path, table in tables.items() for problem in table.problems]
    if problems:
        raise TeamFileError("\n".join(problems))
    for path, table in tables.items():
        yield f"{path.name}: {_move_rows(table, path, team / path.name)}"
    for source in sorted((checkout / OVERRIDES).glob("*.y*ml")):
        target = team / PRICES / source.name
        if target.exists():
            yield f"{PRICES}/{source.name}: is there already; that of {checkout} is not copied."
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            yield f"{PRICES}/{source.name}: copied."


def _move_rows(table: Table, source: Path, target: Path) -> str:
    known = [_said(row) for folder in (SHIPPED, TEAMS[1]) for row in _rows(folder / source.name)]
    edited = [row for row in table.rows.values() if _said(row) not in known]
    left_out = f"{len(table.rows) - len(edited)} left out, which are shipped or the demo's"
    if not edited:
        return f"nothing to move; {left_out}."
    if target.exists() and target.read_bytes() != (STARTER / source.name).read_bytes():
        return f"is there already; {_rows_of(edited)} of {source} not moved."
    content = io.StringIO()
    writer = csv.DictWriter(content, table.columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(edited)
    write_whole(target, content.getvalue())
    return f"{_rows_of(edited)} moved; {left_out}."


def _rows_of(rows: list[Fields]) -> str:
    return "1 row" if len(rows) == 1 else f"{len(rows)} rows"


def _rows(path: Path) -> Iterator[Fields]:
    yield from read_table(path).rows.values() if path.exists() else ()


def _said(row: Fields) -> Fields:
    """What a row says, whichever columns it leaves blank."""
    return {name: text for name, text in row.items() if text}
