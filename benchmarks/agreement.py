"""Whether both sides made the same tables: a ratio of times means nothing where they did not do the same work."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.by_hand import MARTS

TABLES = ("fct_attempts", "fct_requests", *MARTS)
# Where a row came from and when it was made; `metadata` holds unknown fields too, which the script does not read;
# it refuses other usage.
NOT_COMPARED = {
    "landing_content_hash",
    "landing_line_number",
    "load_id",
    "built_at",
    "metadata",
    "other_usage",
}


class DifferentTablesError(AssertionError):
    """The two sides do not agree; the message names the tables, their totals and the columns that differ."""


@dataclass(frozen=True)
class Totals:
    """What both sides agree on. Cost in USD, as text: DECIMAL(38,12)."""

    attempts: int
    requests: int
    cost_usd: str
    rows: dict[str, int]


def agree(product: Path, by_hand: Path) -> Totals:
    """The totals, when every table has the same rows in every compared column. Raises DifferentTablesError."""
    with duckdb.connect() as database:
        for name, path in (("product", product), ("by_hand", by_hand)):
            database.execute(f"attach '{path}' as {name} (read_only)")
        problems = [problem for table in TABLES for problem in _differences(database, table)]
        if problems:
            raise DifferentTablesError("The tables differ, so no ratio is quoted.\n" + "\n".join(problems))
        rows = {table: _rows(database, table) for table in TABLES}
        cost = database.execute("select sum(cost_usd)::varchar from product.marts.fct_attempts").fetchone()[0]
    return Totals(rows["fct_attempts"], rows["fct_requests"], cost, rows)


def _rows(database: duckdb.DuckDBPyConnection, table: str) -> int:
    return database.execute(f"select count(*) from product.marts.{table}").fetchone()[0]  # noqa: S608


def _differences(database: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """A sentence for a table whose rows differ. Equal sums of row hashes are taken as equal rows."""
    columns = database.execute(
        "select column_name, data_type from duckdb_columns() where database_name = 'product' and table_name = ?",
        [table],
    ).fetchall()
    columns = [(name, kind) for name, kind in columns if name not in NOT_COMPARED]
    every = f"count(*), sum(cost_usd)::varchar, sum(hash({', '.join(_value(*each) for each in columns)}))"
    totals = [_ask(database, side, table, every) for side in SIDES]
    if totals[0] == totals[1]:
        return []
    each = ", ".join(f"sum(hash({_value(*column)}))" for column in columns)
    sums = [_ask(database, side, table, each) for side in SIDES]
    names = [name for (name, _), one, other in zip(columns, *sums, strict=True) if one != other]
    (rows, cost, _), (rows_by_hand, cost_by_hand, _) = totals
    problem = f"{table}: {rows} rows and {cost} USD in the product, {rows_by_hand} and {cost_by_hand} by hand; "
    return [problem + f"columns that differ: {', '.join(names) or 'only in their combination'}."]


SIDES = ("product.marts", "by_hand.main")


def _ask(database: duckdb.DuckDBPyConnection, side: str, table: str, what: str) -> tuple:
    return database.execute(f"select {what} from {side}.{table}").fetchone()  # noqa: S608


def _value(name: str, kind: str) -> str:
    """A column as the product types it; DOUBLE ratios to nine places, because sums of floats depend on their order."""
    return f"round({name}, 9)" if kind == "DOUBLE" else f"{name}::{kind}"
