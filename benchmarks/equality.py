"""Whether two releases publish the same marts: `python -m benchmarks.equality <old publication> <new publication>`.

For a change that may move no figure. Both releases build the same landed files at the same instant, each into a root of its
own; a publication is a data root, its `published` folder or a published file. One line for each mart of the old release says
how many rows differ, with up to three examples; the exit status is 1 when anything does.

Rows are compared as a multiset: a row that is there twice must be there twice. Numbers are compared exactly, but for DOUBLE,
where sums depend on their order: to 1e-9, of the larger value where that is above 1. Marts and columns of the old release must
all be there, under the names that benchmarks/renamed.yml gives and with the type they had; values that are names themselves
(`alert_compare.metric`) are mapped by it too. What the new release adds is left alone, and so are the columns in NOT_COMPARED.

To compare a checkout with a commit (`-o`: make installs nothing, since both use one virtual environment):

    git worktree add ../before <commit> && ln -s "$PWD/.venv" ../before/.venv
    python -m demo --data /tmp/world --seed 41 --requests-per-day 4500 --format mixed
    for release in ../before .; do
        root=/tmp/world/$(git -C "$release" rev-parse --short HEAD)
        mkdir "$root" && cp -rl /tmp/world/landing "$root"
        TOKENTRAIL_DATA=$root TOKENTRAIL_AS_OF=2026-11-23T12:00:00Z make -C "$release" -o .venv/.complete -o environment weekly
    done
    python -m benchmarks.equality /tmp/world/<commit> /tmp/world/<commit of the checkout>

Landing only the first days, running, and landing the rest for a run at a later instant tries the increments, the ledger and
the announcements too; an override that is added before the last run tries the price changes.
"""

# ruff: noqa: S608 - every name in a statement comes from a catalogue of DuckDB, and is quoted

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import yaml

RENAMED = Path(__file__).with_name("renamed.yml")
NOT_COMPARED = {
    "load_id": "random, and of the load",
    "built_at": "the clock's",
    "recorded_at": "the clock's",
    "replaced_at": "the next version's recorded_at",
    "price_book_version": "a hash that covers the compiler's code",
    "compiler_version": "a hash of code",
    "input_fingerprint": "a hash that covers code",
}
TOLERANCE = 1e-9
EXAMPLES = 3
NAMED_COLUMNS = 5  # of a row in an example, so that it can be found


class PublicationError(ValueError):
    """Two publications cannot be compared; the message says which file or name is wrong."""


@dataclass(frozen=True)
class Names:
    """What the new release calls things: by mart, old column -> new column; by mart and new column, old value -> new value."""

    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    values: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """A column of the old mart, and what it is called and holds in both."""

    old: str
    new: str
    kind: str  # DuckDB's type; VARCHAR where the two releases differ in it
    values: dict[str, str]


@dataclass(frozen=True)
class Comparison:
    """One mart: rows of the old and the new release, columns compared, rows without an equal on the other side, and sentences."""

    mart: str
    rows: tuple[int, int]
    columns: int
    differing: tuple[int, int]
    problems: list[str]

    @property
    def is_equal(self) -> bool:
        """Whether the new release has every row and every column of the old one, and no row besides."""
        return not self.problems and not any(self.differing)

    def __str__(self) -> str:
        old, new = self.rows
        counted = f"{old:,} rows" if old == new else f"{old:,} rows, now {new:,}"
        found = (
            "equal"
            if self.is_equal
            else f"{self.differing[0]:,} rows only in the old, {self.differing[1]:,} only in the new"
        )
        return "\n    ".join((f"{self.mart}: {counted}, {self.columns} columns, {found}", *self.problems))


def main(arguments: list[str] | None = None) -> int:
    """The command line: 0 when every mart is equal, 1 when one is not, 2 with a sentence when they cannot be compared."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.equality", description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path, help="a data root, its published folder, or a published file")
    parser.add_argument("new", type=Path, help="the same of the new release")
    parser.add_argument(
        "--same-names", action="store_true", help="neither release renamed anything that the other did not"
    )
    options = parser.parse_args(arguments)
    try:
        found = compare(options.old, options.new, Names() if options.same_names else read_names(RENAMED))
    except PublicationError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    for each in found:
        print(each)
    unequal = [each.mart for each in found if not each.is_equal]
    print(f"Not compared: {', '.join(NOT_COMPARED)}.")
    print(
        f"{len(unequal)} of {len(found)} marts differ: {', '.join(unequal)}."
        if unequal
        else f"{len(found)} marts equal."
    )
    return 1 if unequal else 0


def read_names(path: Path) -> Names:
    """The map of names that a release changed (benchmarks/renamed.yml)."""
    said = yaml.safe_load(path.read_text()) or {}
    return Names(said.get("columns", {}), said.get("values", {}))


def compare(old: Path, new: Path, names: Names) -> list[Comparison]:
    """Every mart of the old publication against the new one. Raises PublicationError when one of them cannot be read."""
    with duckdb.connect() as database:
        for side, path in (("old", old), ("new", new)):
            address = str(_file(path)).replace("'", "''")
            database.execute(f"attach '{address}' as {side} (read_only)")
        marts = {side: _marts(database, side) for side in ("old", "new")}
        _check_names(names, marts["old"])
        return [
            _compared(database, mart, marts["old"][mart], marts["new"].get(mart, {}), names) for mart in marts["old"]
        ]


def _file(publication: Path) -> Path:
    """The published file of a data root, a published folder, or itself."""
    if publication.is_file():
        return publication
    found = [file for folder in (publication / "published", publication) for file in sorted(folder.glob("*.duckdb"))]
    if not found:
        raise PublicationError(f"{publication} holds no published file: give a data root in which a run has published.")
    return found[0].resolve()


def _marts(database: duckdb.DuckDBPyConnection, side: str) -> dict[str, dict[str, str]]:
    """By mart and column: its type."""
    rows = database.execute(
        "select table_name, column_name, data_type from duckdb_columns() where database_name = ? and schema_name = 'marts' "
        "and table_name not in ('catalog', 'publication') order by table_name, column_index",
        [side],
    ).fetchall()
    if not rows:
        raise PublicationError(
            f"The {side} publication has no marts: give the published file, not the warehouse's copy."
        )
    marts: dict[str, dict[str, str]] = {}
    for mart, column, kind in rows:
        marts.setdefault(mart, {})[column] = kind
    return marts


def _check_names(names: Names, marts: dict[str, dict[str, str]]) -> None:
    """An entry that maps nothing is a typing error, or the old release has the new names already."""
    for mart, columns in names.columns.items():
        for column in columns.keys() - marts.get(mart, {}).keys():
            raise PublicationError(
                f"The old publication has no {mart}.{column} to rename: correct {RENAMED}, or compare with --same-names."
            )
    for mart, columns in names.values.items():
        known = {names.columns.get(mart, {}).get(column, column) for column in marts.get(mart, {})}
        for column in columns.keys() - known:
            raise PublicationError(f"The old publication has no {mart}.{column} to map values of: correct {RENAMED}.")


def _compared(
    database: duckdb.DuckDBPyConnection, mart: str, old: dict[str, str], new: dict[str, str], names: Names
) -> Comparison:
    before, after = f"old.marts.{_quoted(mart)}", f"new.marts.{_quoted(mart)}"
    if not new:
        rows = _count(database, before)
        return Comparison(mart, (rows, 0), 0, (rows, 0), ["The new publication does not have this mart."])
    columns, problems = _columns(old, new, names.columns.get(mart, {}), names.values.get(mart, {}))
    _copy(database, "before", before, columns, [_old_value(column) for column in columns])
    _copy(database, "after", after, columns, [_quoted(column.new) for column in columns])
    _match(database, columns)
    rows = _count(database, "before"), _count(database, "after")
    unmatched = _count(database, "gone"), _count(database, "come")
    problems += _examples(database, columns, unmatched)
    return Comparison(mart, rows, len(columns), unmatched, problems)


def _columns(
    old: dict[str, str], new: dict[str, str], renamed: dict[str, str], values: dict[str, dict[str, str]]
) -> tuple[list[Column], list[str]]:
    """The columns to compare, and a sentence for each that the new mart lacks or types in another way."""
    columns, problems = [], []
    for name, kind in old.items():
        now = renamed.get(name, name)
        if name in NOT_COMPARED:
            continue
        if now not in new:
            problems.append(
                f"The new mart has no column {now}; where it has a new name, benchmarks/{RENAMED.name} gives it."
            )
            continue
        if new[now] != kind:
            problems.append(f"{now} is {new[now]}, and was {kind}.")
        columns.append(Column(name, now, kind if new[now] == kind else "VARCHAR", values.get(now, {})))
    return columns, problems


def _copy(database: duckdb.DuckDBPyConnection, side: str, mart: str, columns: list[Column], values: list[str]) -> None:
    """A side's rows under their new names. `_copy` numbers those that are equal but for DOUBLE columns, in the order of these."""
    named = zip(columns, values, strict=True)
    selected = ", ".join(f"cast({value} as {column.kind}) as {_quoted(column.new)}" for column, value in named)
    exact = ", ".join(_quoted(column.new) for column in columns if column.kind != "DOUBLE")
    doubles = ", ".join(_quoted(column.new) for column in columns if column.kind == "DOUBLE")
    window = f"partition by {exact}" + (f" order by {doubles}" if doubles else "")
    database.execute(
        f"create or replace temp table {side} as "
        f"select *, row_number() over ({window}) as _copy, row_number() over () as _row from (select {selected} from {mart})"
    )


def _old_value(column: Column) -> str:
    """The old release's value, in the words of the new one."""
    cases = " ".join(f"when {_text(old)} then {_text(new)}" for old, new in column.values.items())
    return f"case {_quoted(column.old)} {cases} else {_quoted(column.old)} end" if cases else _quoted(column.old)


def _match(database: duckdb.DuckDBPyConnection, columns: list[Column]) -> None:
    """Leaves in `gone` and `come` the rows of each side that have no equal on the other."""
    exact = " and ".join(_same(column) for column in columns if column.kind != "DOUBLE")
    near = " and ".join(_same(column) for column in columns if column.kind == "DOUBLE") or "true"
    database.execute(
        "create or replace temp table matched as select before._row as before_row, after._row as after_row "
        f"from before join after on before._copy = after._copy and {exact} where {near}"
    )
    for rest, side in (("gone", "before"), ("come", "after")):
        database.execute(
            f"create or replace temp table {rest} as select * from {side} where _row not in (select {side}_row from matched)"
        )


def _same(column: Column, before: str = "before", after: str = "after") -> str:
    """SQL that is true where two rows agree in a column; never NULL."""
    old, new = f"{before}.{_quoted(column.new)}", f"{after}.{_quoted(column.new)}"
    same = f"{old} is not distinct from {new}"
    if column.kind != "DOUBLE":
        return same
    return f"({same} or coalesce(abs({old} - {new}) <= {TOLERANCE} * greatest(1, abs({old}), abs({new})), false))"


def _examples(database: duckdb.DuckDBPyConnection, columns: list[Column], unmatched: tuple[int, int]) -> list[str]:
    """Up to three sentences: a row without an equal, and what is different in the row of the other side that is most like it."""
    gone, come = unmatched
    if gone:
        return [_example(database, columns, row) for row in _ids(database, "gone")]
    return (
        [f"only in the new: {_named(_row(database, columns, 'come', row))}" for row in _ids(database, "come")]
        if come
        else []
    )


def _example(database: duckdb.DuckDBPyConnection, columns: list[Column], row: int) -> str:
    before = _row(database, columns, "gone", row)
    alike = " + ".join(f"cast({_same(column, 'gone', 'come')} as integer)" for column in columns)
    nearest = database.execute(
        f"select come._row from gone, come where gone._row = ? and {alike} > ? order by {alike} desc, come._row limit 1",
        [row, len(columns) / 2],
    ).fetchone()
    if not nearest:
        return f"only in the old: {_named(before)}"
    after = _row(database, columns, "come", nearest[0])
    differing = [name for name in before if before[name] != after[name]]
    changes = "; ".join(f"{name} {before[name]} -> {after[name]}" for name in differing)
    return f"{changes} where {_named({name: before[name] for name in before if name not in differing})}"


def _ids(database: duckdb.DuckDBPyConnection, table: str) -> list[int]:
    return [row for (row,) in database.execute(f"select _row from {table} order by _row limit {EXAMPLES}").fetchall()]


def _row(database: duckdb.DuckDBPyConnection, columns: list[Column], table: str, row: int) -> dict[str, object]:
    values = database.execute(f"select * exclude (_copy, _row) from {table} where _row = ?", [row]).fetchone()
    return {column.new: value for column, value in zip(columns, values, strict=True)}


def _named(row: dict[str, object]) -> str:
    """As much of a row as finds it again."""
    known = [f"{name}={value}" for name, value in row.items() if value is not None]
    return ", ".join(known[:NAMED_COLUMNS])


def _count(database: duckdb.DuckDBPyConnection, table: str) -> int:
    return database.execute(f"select count(*) from {table}").fetchone()[0]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


if __name__ == "__main__":
    sys.exit(main())
