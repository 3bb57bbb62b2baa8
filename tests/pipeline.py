"""A data root with the verbs of the product: land files, run the pipeline, ask the warehouse. Real DuckDB and real dbt."""

import json
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from demo import TEAM as DEMO_TEAM
from orchestration.dbt import build_command, run_dbt
from orchestration.landing.load import load_new_files
from orchestration.landing.sources import sources_of
from orchestration.ledger import make_logs
from orchestration.prices.book import update_price_book
from orchestration.publishing.publication import publish
from orchestration.settings import Settings, from_environment
from orchestration.team.folder import remember_team
from orchestration.team.tables import write_team_tables
from orchestration.warehouse import open_marts
from tests.parsed import keep, lend

AS_OF = datetime(2026, 11, 23, 12, tzinfo=UTC)
# For the steps of a story: no tests, and of 185 models those behind attempts and what they cost.
WITHOUT_TESTS = ("--exclude-resource-type", "test")
COSTS = (
    "--select",
    *(f"+path:models/marts/{subject}" for subject in ("attribution", "prices", "unpriced", "quality")),
)
OF_THE_FILE = {"catalog", "publication"}  # they say when and how often something was built
PROVENANCE = ("load_id", "built_at", "recorded_at")  # what a rebuild may say differently


@dataclass(frozen=True)
class Pipeline:
    """One data root."""

    settings: Settings

    def land(self, name: str, events: list[dict] | str, day: str = "2026-11-20") -> Path:
        """Write a landing file: events as dicts, or raw text as it stands."""
        text = events if isinstance(events, str) else "".join(json.dumps(event) + "\n" for event in events)
        path = Path(self.settings.landing) / "events" / f"dt={day}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def build(self, *arguments: str) -> None:
        """Read the team's files, load, price, build with every test."""
        write_team_tables(self.settings)
        for source in sources_of(self.settings):
            load_new_files(self.settings, source)
        update_price_book(self.settings)
        make_logs(self.settings.ledger)
        run_dbt(
            self.settings, *build_command(self.settings), "--quiet", "--no-write-json", *arguments
        )  # nobody reads its manifest
        keep(self.settings)

    def price(self) -> None:
        """Load, price, build the fact, the price book and their queues, without tests: for stories that end with a cost."""
        self.build(*WITHOUT_TESTS, "--select", "+fct_attempts", "+price_book", "+unpriced_models", "+rejected_events")

    def run(self, *arguments: str) -> None:
        """Load, price, build with every test, publish."""
        self.build(*arguments)
        publish(self.settings)

    def ask(self, sql: str, *parameters: object) -> list[tuple]:
        """Rows of the published marts."""
        with open_marts(self.settings) as marts:
            return marts.execute(sql, list(parameters)).fetchall()

    def inside(self, sql: str) -> list[tuple]:
        """Rows of the private warehouse."""
        with duckdb.connect(str(self.settings.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def built(self) -> dict[tuple[str, str], str]:
        """By (model, date): the fingerprint it was built from."""
        rows = self.inside("select model, cast(event_date as varchar), input_fingerprint from tokentrail.built")
        return {(model, day): fingerprint for model, day, fingerprint in rows}

    def built_at(self) -> dict[tuple[str, str], datetime]:
        """By (model, date): when it was built."""
        rows = self.inside("select model, cast(event_date as varchar), built_at from tokentrail.built")
        return {(model, day): instant for model, day, instant in rows}

    def forget(self) -> None:
        """Delete everything but what landed, and dbt's parsed project, which only saves time."""
        self.settings.published.unlink(missing_ok=True)
        for path in (self.settings.raw, self.settings.ledger, self.settings.publications):
            shutil.rmtree(path, ignore_errors=True)
        for path in self.settings.data.glob("warehouse.duckdb*"):
            path.unlink()

    def tables(self) -> dict[str, list[tuple]]:
        """Every mart's rows, sorted, without provenance and with DOUBLE ratios to nine places."""
        with open_marts(self.settings) as marts:
            names = marts.execute(
                "select table_name from duckdb_tables() where schema_name = 'marts' order by 1"
            ).fetchall()
            return {name: _rows(marts, name) for (name,) in names if name not in OF_THE_FILE}


def _rows(marts: duckdb.DuckDBPyConnection, name: str) -> list[tuple]:
    columns = marts.execute(
        "select column_name, data_type from duckdb_columns() where schema_name = 'marts' and table_name = ? order by column_index",
        [name],
    ).fetchall()
    kept = [
        f"round({column}, 9)" if kind == "DOUBLE" else column for column, kind in columns if column not in PROVENANCE
    ]
    return marts.execute(f"select {', '.join(kept)} from {name} order by all").fetchall()


def pipeline_at(root: Path, company: Path | None = DEMO_TEAM, **settings: object) -> Pipeline:
    """A pipeline over `root`, at a pinned instant, with a team folder of its own that begins as that of `company`.

    On one thread: a second finds no work in a few hundred calls, and looking for it is a sixth of a build's CPU time.
    """
    base = from_environment({"TOKENTRAIL_DATA": str(root), "TOKENTRAIL_TEAM": str(team_of(root, company))})
    pipeline = Pipeline(replace(base, **({"as_of": AS_OF, "threads": 1} | settings)))
    remember_team(pipeline.settings)
    lend(pipeline.settings)
    return pipeline


def team_of(root: Path, company: Path | None = DEMO_TEAM) -> Path:
    """The team folder of a data root: the one that it remembers, or one next to it, made when it is first asked for."""
    memory, team = root / "team_folder", root.parent / f"{root.name}-team"
    if memory.exists():
        return Path(memory.read_text().strip())
    if not team.exists():
        shutil.copytree(company, team) if company else team.mkdir(parents=True)
    return team


def event(request: str, at: str = "2026-11-20T10:00:00Z", **fields: object) -> dict:
    """A plain priced success: 1,000 uncached input and 200 output tokens of claude-sonnet-4-5."""
    return {
        "externalRequestId": request,
        "occurredAt": at,
        "provider": "anthropic",
        "model": "claude-sonnet-4-5",
        "status": "success",
        "endpointTag": "chat.reply",
        "promptVersion": "v1",
        "tenantId": "acme",
        "userId": "u-1",
        "inputTokens": 1000,
        "outputTokens": 200,
    } | fields
