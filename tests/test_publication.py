"""What readers see: whole snapshots only, never a broken promise, and files that tie to the marts (DESIGN section 6, rules 4 and 9)."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from orchestration.dbt import run_dbt
from orchestration.publishing import catalog
from orchestration.publishing.exports import DAILY_MARTS
from orchestration.publishing.publication import Publication, publish
from orchestration.settings import PROJECT
from tests.pipeline import COSTS, WITHOUT_TESTS, Pipeline, event, pipeline_at

COST_MARTS = tuple(mart for mart in DAILY_MARTS if mart.startswith("cost_by_"))
UNKNOWN = {"provider": "selfhosted", "model": "acme-internal-7b"}
FIRST = [
    event("october", "2026-10-31T10:00:00Z"),
    event("plain"),
    event(
        "nobody", tenantId=None, userId=None, endpointTag=None, promptVersion=None, featureTag='with "quotes", commas'
    ),
    event("in-dev", environment="dev"),
    event("unknown", **UNKNOWN),
    event("replay", dataMode="test"),
]
SECOND = [event(f"more-{number}") for number in range(50)]
THIRD = [event("third", "2026-11-21T10:00:00Z")]
NOBODY_USES = """
prices:
  - provider: acme
    model: spare
    from: 2026-03-01
    per_million_tokens: {input_tokens: 1, output_tokens: 2}
    source: order form 4711
    approved_by: finance@example.com
    recorded_at: 2026-02-27
"""

READER = """
import json, sys, threading
from pathlib import Path
from orchestration.warehouse import open_marts
from tests.pipeline import pipeline_at

settings, marts = pipeline_at(Path(sys.argv[1])).settings, sys.argv[2:]
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
seen, errors, reads = set(), [], 0
stopping = False
while not stopping:
    stopping = stop.is_set()  # and then one more look
    try:
        with open_marts(settings) as connection:
            ask = lambda sql: connection.execute(sql).fetchone()
            attempts, cost = ask("select count(*), sum(cost_usd) from fct_attempts")
            sums = {mart: ask(f"select sum(attempts), sum(cost_usd) from {mart}") for mart in marts}
        errors += [f"{mart}: {found}" for mart, found in sums.items() if found != (attempts, cost)]
        seen.add(attempts)
        reads += 1
    except Exception as error:
        errors.append(repr(error))
    if reads == 1:
        print("reading", flush=True)
print(json.dumps({"seen": sorted(seen), "errors": errors[:5], "reads": reads}))
"""


@dataclass(frozen=True)
class Published:
    """A root and the modification times of its exports after a publication."""

    pipeline: Pipeline
    exports: dict[str, int]


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> Published:
    pipeline = pipeline_at(tmp_path_factory.mktemp("publication") / "data")
    pipeline.land("first.jsonl", FIRST)
    pipeline.run(*WITHOUT_TESTS)
    return Published(pipeline, export_times(pipeline))


@pytest.fixture(scope="module")
def idle(first) -> tuple[Publication, int, int]:
    """A publication of nothing new, and when tokentrail.duckdb was written before and after it."""
    database = first.pipeline.settings.published_marts
    before = database.stat().st_mtime_ns
    return publish(first.pipeline.settings), before, database.stat().st_mtime_ns


@pytest.fixture(scope="module")
def read_meanwhile(first, idle) -> dict:
    """What a reader saw that never paused during a run that changes data; one more connection stays open throughout.

    A second name for the file that readers have open shows whether anybody wrote into it.
    """
    pipeline = first.pipeline
    held = pipeline.settings.data.parent / "held-open.duckdb"
    held.hardlink_to(pipeline.settings.published_marts)
    content = held.read_bytes()
    with duckdb.connect(str(pipeline.settings.published_marts), read_only=True) as patient:
        count = "select count(*) from marts.fct_attempts"
        before = patient.execute(count).fetchall()
        with reader(pipeline) as process:
            pipeline.land("second.jsonl", SECOND)
            pipeline.run(*WITHOUT_TESTS, *COSTS)
            answer, _ = process.communicate(timeout=60)
        seen = json.loads(answer.splitlines()[-1])
        return seen | {
            "patient": (before, patient.execute(count).fetchall()),
            "untouched": held.read_bytes() == content,
        }


def client(published: Published) -> duckdb.DuckDBPyConnection:
    """A connection of somebody who opens the file and does nothing else."""
    return duckdb.connect(str(published.pipeline.settings.published_marts.resolve()), read_only=True)


@contextmanager
def reader(pipeline: Pipeline) -> Iterator[subprocess.Popen]:
    """A process that opens the published marts again and again, until its standard input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(pipeline.settings.data), *COST_MARTS],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout.readline() == "reading\n"
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def sabotaged(first, read_meanwhile) -> Pipeline:
    """New rows are built but not yet verified, and a dollar is added to one of them behind dbt's back."""
    pipeline = first.pipeline
    pipeline.land("third.jsonl", THIRD)
    pipeline.build(*WITHOUT_TESTS, *COSTS)
    with duckdb.connect(str(pipeline.settings.warehouse)) as connection:
        connection.execute(
            "update marts.cost_by_tenant_daily set cost_usd = cost_usd + 1 where event_date = date '2026-11-21'"
        )
    return pipeline


@pytest.fixture(scope="module")
def refused(sabotaged) -> tuple[str, dict, dict]:
    """The words of the failed run, and the publication before and after it."""
    before = published(sabotaged)
    with pytest.raises(RuntimeError) as failure:
        sabotaged.run()
    return str(failure.value), before, published(sabotaged)


@pytest.fixture(scope="module")
def healed(sabotaged, refused) -> Pipeline:
    """The date is built again, as the backfill job does it, and everything is tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKENTRAIL_REBUILD_FROM", "2026-11-21")
        patch.setenv("TOKENTRAIL_REBUILD_TO", "2026-11-21")
        sabotaged.run()
    return sabotaged


def published(pipeline: Pipeline) -> dict:
    marts = pipeline.settings.published_marts
    return json.loads((marts.parent / "marts.json").read_text()) | {"mtime": marts.stat().st_mtime_ns}


def export_times(pipeline: Pipeline) -> dict[str, int]:
    folder = pipeline.settings.published / "exports"
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.glob("*/*.*")}


def exported(pipeline: Pipeline) -> list[tuple[Path, dict]]:
    folder = pipeline.settings.published / "exports"
    return [
        (folder / name, entry) for name, entry in json.loads((folder / "manifest.json").read_text())["exports"].items()
    ]


def test_an_idle_publication_writes_nothing(first, idle):
    publication, before, after = idle
    assert not publication.written
    assert publication.exports_written == 0
    assert before == after
    assert export_times(first.pipeline) == first.exports


def test_a_client_that_opens_the_file_needs_no_detour(first):
    with client(first) as marts:
        assert marts.execute("select count(*) from marts.fct_attempts").fetchall() == [(len(FIRST),)]
        assert marts.execute("select * from marts.alerts").description[0][0] == "alert_id"
        schemas = "select schema_name from duckdb_schemas() where database_name = current_database() and not internal"
        assert marts.execute(schemas).fetchall() == [("marts",)]


def test_every_table_and_column_carries_its_description(first):
    with client(first) as marts:
        tables = dict(marts.execute("select table_name, comment from duckdb_tables()").fetchall())
        bare = "select table_name, column_name from duckdb_columns() where schema_name = 'marts' and comment is null"
        assert marts.execute(bare).fetchall() == []
        cost = "select comment from duckdb_columns() where table_name = 'cost_by_tenant_daily' and column_name = 'cost_usd'"
        [(comment,)] = marts.execute(cost).fetchall()
    assert comment.startswith("USD, the sum of the cost parts")
    assert all(comment.startswith("One row per ") for comment in tables.values())


def test_the_catalog_lists_every_mart_with_what_is_in_it(first):
    with client(first) as marts:
        listed = marts.execute("select mart, rows, since, until, grain, answers, filters from marts.catalog").fetchall()
        counted = {
            name: marts.execute(f"select count(*) from marts.{name}").fetchone()[0]
            for (name,) in marts.execute("select table_name from duckdb_tables()").fetchall()
        }
    assert {mart: rows for mart, rows, *_ in listed} == counted
    assert all(answers.endswith("?") and grain for *_, grain, answers, _ in listed)
    [fact] = [row[2:] for row in listed if row[0] == "fct_attempts"]
    assert fact == (
        date(2026, 10, 31),
        date(2026, 11, 20),
        "provider call that was made and may be billed",
        "What did each provider call use and cost, how was it priced, and which landed line is it from?",
        "event_date, environment, data_mode",
    )


def test_a_compact_copy_as_the_page_says_has_no_free_block_and_the_same_marts(first, tmp_path):
    page = (PROJECT / "docs" / "marts.md").read_text()
    command = re.search(r"^attach 'data/published[^`]*?copy from database[^`]*?;$", page, re.MULTILINE)[0]
    command = command.replace(
        "data/published/tokentrail.duckdb", str(first.pipeline.settings.published_marts.resolve())
    )
    compact = tmp_path / "compact.duckdb"
    duckdb.connect().execute(command.replace("compact.duckdb", str(compact)))
    about = "select table_name, column_name, data_type, comment from duckdb_columns() where schema_name = 'marts' order by all"
    with client(first) as marts, duckdb.connect(str(compact)) as copy:
        assert copy.execute("select free_blocks from pragma_database_size()").fetchall() == [(0,)]
        assert copy.execute(about).fetchall() == marts.execute(about).fetchall()
        count = "select sum(cost_usd), count(*) from marts.fct_attempts"
        assert copy.execute(count).fetchall() == marts.execute(count).fetchall()


def test_a_reader_sees_only_whole_snapshots_while_a_run_publishes(read_meanwhile):
    assert read_meanwhile["errors"] == []
    assert read_meanwhile["seen"] == [len(FIRST), len(FIRST) + len(SECOND)]
    assert read_meanwhile["reads"] > 20


def test_an_open_connection_keeps_the_snapshot_it_opened(read_meanwhile):
    before, after = read_meanwhile["patient"]
    assert before == after == [(len(FIRST),)]
    assert read_meanwhile["untouched"]


def test_only_exports_whose_rows_changed_are_written_again(first, read_meanwhile):
    now = export_times(first.pipeline)
    unchanged = {name for name, time in first.exports.items() if now[name] == time}
    october = {name for name in now if "month=2026-10" in name}
    assert len(october) == 2 * len(DAILY_MARTS)
    assert october <= unchanged
    cost_marts = {name for name in now if name.startswith("cost_by_")}
    assert unchanged & cost_marts == october & cost_marts


def test_each_export_ties_to_its_mart(first, read_meanwhile):
    exports = exported(first.pipeline)
    assert {entry["mart"] for _, entry in exports} == set(DAILY_MARTS)
    for path, entry in exports:
        [(rows, cost)] = first.pipeline.ask(
            f"select count(*), sum(cost_usd) from {entry['mart']} where event_date between ?::date and ?::date",
            entry["event_date_from"],
            entry["event_date_to"],
        )
        assert (entry["rows"], Decimal(entry["cost_usd"])) == (rows, cost)
        [inside] = duckdb.sql(f"select count(*), sum(cost_usd) from '{path}.parquet'").fetchall()
        assert inside == (rows, cost)
        assert len(entry["price_book_versions"]) == 1


def test_csv_and_parquet_hold_the_same_rows(first, read_meanwhile):
    for path, _ in exported(first.pipeline):
        csv = duckdb.sql(f"from read_csv('{path}.csv', all_varchar = true, header = true)").fetchall()
        parquet = duckdb.sql(f"select columns(*)::varchar from '{path}.parquet'").fetchall()
        assert csv == parquet


def test_a_broken_promise_publishes_nothing(refused):
    words, before, after = refused
    assert "assert_marts_tie_to_fact" in words
    assert before == after


def test_a_date_that_failed_stays_under_test(sabotaged, refused):
    """Its fingerprint is as built, so no run would build it again: only the memory of what was verified brings it back."""
    with pytest.raises(RuntimeError, match="assert_marts_tie_to_fact"):
        run_dbt(sabotaged.settings, "test", "--select", "assert_marts_tie_to_fact")


def test_a_backfill_of_the_date_heals_and_publishes(healed, refused):
    _, before, _ = refused
    assert published(healed)["signature"] != before["signature"]
    [(fact,)] = healed.ask("select sum(cost_usd) from fct_attempts")
    for mart in COST_MARTS:
        assert healed.ask(f"select sum(cost_usd) from {mart}") == [(fact,)]
    assert healed.ask("select sum(attempts) from cost_by_tenant_daily where event_date = '2026-11-21'") == [(1,)]


def test_a_price_book_version_that_changes_no_row_is_published(healed):
    """Nothing is rebuilt and no price moved: that the current book has another name is published all the same."""
    before, built = published(healed), healed.built_at()
    healed.settings.overrides.mkdir()
    (healed.settings.overrides / "spare.yml").write_text(NOBODY_USES)
    healed.run(*WITHOUT_TESTS, *COSTS, "+price_book_versions")
    assert healed.built_at() == built
    assert healed.ask("select changed_price_rows, moved_usd from price_book_versions order by version_sequence") == [
        (0, Decimal(0)),
        (0, Decimal(0)),
    ]
    assert published(healed)["signature"] != before["signature"]


def test_a_description_that_changed_is_published(healed, monkeypatch, tmp_path):
    before, words = published(healed), "One row per tenant that was ever seen."
    shutil.copytree(catalog.DOCUMENTED, tmp_path / "marts")
    page = tmp_path / "marts" / "attribution" / "dim_tenants.yml"
    page.write_text(page.read_text().replace(words, "One row per tenant, in other words."))
    monkeypatch.setattr(catalog, "DOCUMENTED", tmp_path / "marts")
    assert publish(healed.settings).written
    assert healed.ask("select comment from duckdb_tables() where table_name = 'dim_tenants'") == [
        ("One row per tenant, in other words.",)
    ]
    assert published(healed)["signature"] == before["signature"]
