"""What the published file says about itself: a comment on every mart and column, and the marts `catalog` and `publication`.

The words are those of the YAML files of `dbt_project/models/marts`. dbt's `persist_docs` would write them into the warehouse, one
statement per column of every mart that a run replaces: a second of each run, for a file that nobody reads. Here they are one
transaction, when something is published, of the comments that are not there yet.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import duckdb
import yaml

from orchestration.dbt import DBT_PROJECT
from orchestration.settings import Settings

DOCUMENTED = DBT_PROJECT / "models" / "marts"
GRAIN = re.compile(r"One row per (.+?)(?:[.:;]\s|[.:;]?$)", re.DOTALL)
SCOPE = ("environment", "environments", "data_mode", "data_modes")


@dataclass(frozen=True)
class Mart:
    """A table of the published schema, as its YAML documents it."""

    name: str
    subject: str
    description: str
    answers: str
    dated_by: tuple[str, ...]
    columns: dict[str, str]

    @property
    def grain(self) -> str:
        """What one row is. Every description begins with it."""
        found = GRAIN.match(self.description)
        if not found:
            raise ValueError(
                f"The description of marts.{self.name} does not begin with 'One row per': correct its YAML file."
            )
        return " ".join(found[1].split())

    @property
    def filters(self) -> str | None:
        """The columns without which a query adds up what does not belong together."""
        return ", ".join([*self.dated_by, *(column for column in SCOPE if column in self.columns)]) or None


def documentation_hash() -> str:
    """Changes with any word about a mart: then the file is published again."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in _pages())).hexdigest()


def write_catalog(connection: duckdb.DuckDBPyConnection, settings: Settings, signature: str) -> None:
    """Complete a file that has the marts: `publication`, `catalog` and all comments. People mail files: this one says what it is."""
    connection.execute("begin")
    connection.execute(
        "create or replace table marts.publication as select ?::varchar as signature, ?::timestamp as as_of",
        [signature, settings.as_of.replace(tzinfo=None)],
    )
    connection.execute(
        "create or replace table marts.catalog (mart varchar, subject varchar, grain varchar, answers varchar, filters varchar, "
        "rows bigint, since date, until date)"
    )
    present = _present(connection)
    rows = [_row(connection, mart) for mart in documented_marts() if mart.name in present]
    [own] = [row for row in rows if row[0] == "catalog"]
    own[5] = len(rows)
    connection.executemany("insert into marts.catalog values (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.execute("; ".join([*_missing_comments(present), "commit"]))


def documented_marts() -> list[Mart]:
    """Every mart that is documented, by subject in the order of the project, those of publishing last."""
    subjects = [*yaml.safe_load((DBT_PROJECT / "dbt_project.yml").read_text())["vars"]["subjects"], "publishing"]
    marts = []
    for path in _pages():
        page = _read(path.read_bytes())
        subject = path.parent.name if path.parent != DOCUMENTED else "publishing"
        tables = [table for source in page.get("sources", []) for table in source["tables"]]
        marts += [_mart(entry, subject) for entry in [*page.get("models", []), *tables]]
    return sorted(marts, key=lambda mart: (subjects.index(mart.subject), mart.name))


@lru_cache(256)
def _read(page: bytes) -> dict:
    return yaml.load(page, Loader=yaml.CSafeLoader)


def _pages() -> list[Path]:
    return sorted(DOCUMENTED.rglob("*.yml"))


def _mart(entry: dict, subject: str) -> Mart:
    said = entry.get("config", {}).get("meta", {})
    return Mart(
        name=entry["name"],
        subject=subject,
        description=" ".join(entry["description"].split()),
        answers=said.get("answers", ""),
        dated_by=tuple(said.get("dated_by", ())),
        columns={column["name"]: column["description"] for column in entry["columns"]},
    )


def _present(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str | None, str | None]]:
    """By table of the file: the comment of each column and, under None, of the table."""
    present: dict[str, dict[str | None, str | None]] = {}
    for table, column, comment in connection.execute(
        """
        select table_name, null, comment from duckdb_tables() where schema_name = 'marts'
        union all
        select table_name, column_name, comment from duckdb_columns() where schema_name = 'marts'
        """
    ).fetchall():
        present.setdefault(table, {})[column] = comment
    return present


def _row(connection: duckdb.DuckDBPyConnection, mart: Mart) -> list:
    first, last = (mart.dated_by[0], mart.dated_by[-1]) if mart.dated_by else ("null", "null")
    [measured] = connection.execute(
        f"select count(*), cast(min({first}) as date), cast(max({last}) as date) from marts.{mart.name}"  # noqa: S608 - names of ours
    ).fetchall()
    return [mart.name, mart.subject, mart.grain, mart.answers, mart.filters, *measured]


def _missing_comments(present: dict[str, dict[str | None, str | None]]) -> list[str]:
    """Statements: a file that was brought up to date has most comments already, and each is another version of its table."""
    comments = []
    for mart in documented_marts():
        had = present.get(mart.name, {})
        for column, words in [(None, mart.description), *mart.columns.items()]:
            if column in had and had[column] != words:
                subject = f"column marts.{mart.name}.{column}" if column else f"table marts.{mart.name}"
                comments.append(f"comment on {subject} is {_text(words)}")
    return comments


def _text(words: str) -> str:
    return "'" + words.replace("'", "''") + "'"
