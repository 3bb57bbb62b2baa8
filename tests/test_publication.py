"""What readers see: whole snapshots only, never a broken promise, and files that tie to the marts (DESIGN section 6, rules 4 and 9)."""

import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from orchestration.budgets.announcements import announcements_folder
from orchestration.dbt import run_dbt
from orchestration.ledger import one_writer
from orchestration.notifications import Event, enqueue
from orchestration.publishing import catalog
from orchestration.publishing.changes import Changes, changes
from orchestration.publishing.exports import BYTE_ORDER_MARK, CSV_MACROS, DAILY_MARTS, IN_CENTS, TABLES, write_exports
from orchestration.publishing.publication import Publication, publish
from orchestration.settings import PROJECT
from orchestration.warehouse import open_marts
from tests.pipeline import AS_OF, COSTS, WITHOUT_TESTS, Pipeline, event, pipeline_at

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
    event("tiny", endpointTag="=1+1", inputTokens=1, outputTokens=0),
    *(event(f"the week before {number}", "2026-11-12T10:00:00Z") for number in range(20)),
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
    stop.wait(0.03)  # or it would have a processor to itself
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
    pipeline, former = first.pipeline, first.pipeline.settings.published.resolve()
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
            "changes": changes(pipeline.settings, former),
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
    files = [path for path in folder.rglob("*.*") if path.name != "manifest.json"]
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in files}


def exported(pipeline: Pipeline) -> list[tuple[Path, dict]]:
    folder = pipeline.settings.published / "exports"
    return [
        (folder / name, entry) for name, entry in json.loads((folder / "manifest.json").read_text())["exports"].items()
    ]


def test_an_idle_publication_writes_nothing(first, idle):
    publication, before, after = idle
    assert not publication.written
    assert publication.exports_written == []
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


def test_the_file_has_no_free_block(first):
    with client(first) as marts:
        assert marts.execute("select free_blocks from pragma_database_size()").fetchall() == [(0,)]


def test_a_reader_sees_only_whole_snapshots_while_a_run_publishes(read_meanwhile):
    assert read_meanwhile["errors"] == []
    assert read_meanwhile["seen"] == [len(FIRST), len(FIRST) + len(SECOND)]
    assert read_meanwhile["reads"] > 20


def test_an_open_connection_keeps_the_snapshot_it_opened(read_meanwhile):
    before, after = read_meanwhile["patient"]
    assert before == after == [(len(FIRST),)]
    assert read_meanwhile["untouched"]


def test_a_publication_says_which_days_are_different_from_the_former_one_and_by_how_much(first, read_meanwhile):
    changed = read_meanwhile["changes"]
    assert [(str(day["event_date"]), day["data_mode"], day["change_usd"]) for day in changed.days] == [
        ("2026-11-20", "real", len(SECOND) * Decimal("0.006"))
    ]
    assert changed.sentence() == "1 day (+50 attempts, +$0.30) and rows of 2 marts"
    assert changes(first.pipeline.settings, first.pipeline.settings.published) == Changes([], [])
    assert not changes(first.pipeline.settings, None).comparable


def test_only_exports_whose_rows_changed_are_written_again(first, read_meanwhile):
    now = export_times(first.pipeline)
    unchanged = {name for name, time in first.exports.items() if now[name] == time}
    october = {name for name in now if "/2026-10." in name}
    assert len(october) == 2 * len(DAILY_MARTS)
    assert october <= unchanged
    cost_marts = {name for name in now if "/cost_by_" in name}
    assert unchanged & cost_marts == october & cost_marts


def test_each_export_ties_to_its_mart(first, read_meanwhile):
    exports = exported(first.pipeline)
    assert {entry["mart"] for _, entry in exports} == {*DAILY_MARTS, *TABLES}
    for path, entry in exports:
        sums = ", ".join(["count(*)", *(f"sum({column})" for column in entry["totals"])])
        dates = "where event_date between $from::date and $to::date" if "event_date_from" in entry else ""
        if entry["mart"] == "allocated_cost_in_cents":  # of a mart by its sum: another test has its cents
            [(allocated,)] = first.pipeline.ask("select sum(allocated_usd) from allocated_cost")
            assert entry["totals"]["allocated_usd"] == (None if allocated is None else f"{allocated:f}")
            continue
        asked = f"select {sums} from {entry['mart']} {dates}"
        asked = asked.replace("$from", f"'{entry.get('event_date_from')}'")
        [inside] = first.pipeline.ask(asked.replace("$to", f"'{entry.get('event_date_to')}'"))
        said = [
            total if total is None or isinstance(total, int) else Decimal(total) for total in entry["totals"].values()
        ]
        assert list(inside) == [entry["rows"], *said]
        assert duckdb.sql(f"select {sums} from '{path}.parquet'").fetchall() == [inside]
        assert len(entry["price_book_versions"]) == 1
    assert all(
        {"cost_usd", "unpriced_attempts"} <= entry["totals"].keys() for _, entry in exports if "is_complete" in entry
    )


def test_cents_of_an_allocation_add_up_to_the_bill_in_cents():
    """Whatever is allocated, credits too; each within a cent of what it is."""
    chance = random.Random(7)
    with duckdb.connect() as marts:
        marts.execute(
            "create table allocated_cost (vendor varchar, account varchar, billing_month date, environment varchar, tenant_id "
            "varchar, endpoint_tag varchar, prompt_version varchar, method varchar, allocated_usd decimal(38, 12))"
        )
        rows = [
            (f"v{chance.randint(1, 3)}", "main", date(2026, 10, 1), "prod", f"t{number}", "chat", "v1", "captured_cost",
             Decimal(chance.randint(-(10**13), 10**13)) / 10**12)
            for number in range(300)
        ]  # fmt: skip
        marts.executemany("insert into allocated_cost values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        marts.execute(IN_CENTS)
        sums = marts.execute(
            "select round(sum(allocated_usd), 2) = sum(rounded_usd), max(abs(allocated_usd - rounded_usd)) < 0.01 "
            "from allocated_cost_in_cents group by vendor"
        ).fetchall()
    assert sums == [(True, True)] * 3


def test_a_folder_of_months_read_as_a_whole_sums_to_its_mart(first, read_meanwhile):
    """As a tool of a finance team reads it, which opens every file of a folder."""
    sums = "select count(*), sum(attempts), sum(cost_usd) from"
    for mart in DAILY_MARTS:
        folder = first.pipeline.settings.published / "exports" / "months" / mart
        [(rows, attempts, cost)] = first.pipeline.ask(f"{sums} {mart}")
        assert duckdb.sql(f"{sums} '{folder}/*.parquet'").fetchall() == [(rows, attempts, cost)]
        parquet = pd.concat(map(pd.read_parquet, folder.glob("*.parquet")))
        csv = pd.concat(pd.read_csv(path, dtype=str) for path in folder.glob("*.csv"))
        assert (len(parquet), parquet.attempts.sum(), parquet.cost_usd.dropna().sum()) == (rows, attempts, cost)
        assert (len(csv), csv.attempts.map(int).sum(), csv.cost_usd.dropna().map(Decimal).sum()) == (
            rows,
            attempts,
            cost,
        )


def test_a_month_says_in_its_name_whether_it_is_complete_and_what_it_holds(first, read_meanwhile):
    exports = dict(exported(first.pipeline))
    folder = first.pipeline.settings.published / "exports" / "months" / "cost_by_tenant_daily"
    assert {path.name for path in folder.iterdir()} == {
        f"{month}.{suffix}" for month in ("2026-10", "2026-11_partial_to_2026-11-20") for suffix in ("csv", "parquet")
    }
    complete, partial = exports[folder / "2026-10"], exports[folder / "2026-11_partial_to_2026-11-20"]
    assert (complete["event_date_to"], complete["is_complete"]) == ("2026-10-31", True)
    assert (partial["event_date_from"], partial["event_date_to"]) == ("2026-11-01", "2026-11-30")
    assert (partial["first_event_date"], partial["last_event_date"]) == ("2026-11-12", "2026-11-20")
    assert (partial["is_complete"], partial["complete_through"]) == (False, "2026-11-22")


def export_as_of(pipeline: Pipeline, at: str, folder: Path) -> dict[str, dict]:
    """The exports that a run as of another instant would make of what is published; their manifest entries."""
    settings = replace(pipeline.settings, as_of=datetime.fromisoformat(at).replace(tzinfo=UTC))
    with open_marts(settings) as marts:
        write_exports(marts, settings, folder, [], "signature")
    return json.loads((folder / "manifest.json").read_text())["exports"]


@pytest.mark.parametrize(
    ("at", "november"), [("2026-12-01T05:59:59", "2026-11_partial_to_2026-11-20"), ("2026-12-01T06:00:00", "2026-11")]
)
def test_a_month_is_complete_when_its_last_day_is(first, read_meanwhile, tmp_path, at, november):
    months = {name for name in export_as_of(first.pipeline, at, tmp_path) if name.startswith("months/cost_by_user")}
    assert months == {f"months/cost_by_user_daily/{month}" for month in ("2026-10", november)}


@pytest.mark.parametrize(
    ("at", "missing"),
    [("2026-12-04T23:59:59", 0), ("2026-12-05T00:00:00", 1), ("2026-12-16T23:59:59", 1), ("2026-12-17T00:00:00", 21)],
)
def test_the_rolling_days_end_with_the_day_of_the_run(first, read_meanwhile, tmp_path, at, missing):
    entry = export_as_of(first.pipeline, at, tmp_path)["rolling/cost_by_model_daily"]
    assert (entry["event_date_to"], entry["is_complete"]) == (at[:10], False)
    assert entry["totals"]["attempts"] == len(FIRST) + len(SECOND) - missing


def test_what_an_earlier_layout_left_is_not_exported_again(first, read_meanwhile, tmp_path):
    (tmp_path / "cost_by_user_daily").mkdir()
    (tmp_path / "cost_by_user_daily" / "month=2026-11.csv").write_text("the same rows once more")
    (tmp_path / "manifest.json").write_text("{}")
    entries = export_as_of(first.pipeline, "2026-11-23T12:00:00", tmp_path)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")}
    assert files == {f"{name}.{suffix}" for name in entries for suffix in ("csv", "parquet")} | {"manifest.json"}
    assert not (tmp_path / "cost_by_user_daily").exists()


def test_csv_and_parquet_hold_the_same_rows(first, read_meanwhile):
    """But for the apostrophe before what a spreadsheet could run."""
    for path, _ in exported(first.pipeline):
        parquet = duckdb.sql(f"from '{path}.parquet'")
        columns = dict(zip(parquet.columns, map(str, parquet.types), strict=True))
        csv = duckdb.sql(f"from read_csv('{path}.csv', header = true, columns = {columns})")
        assert csv.fetchall() == [tuple(map(as_a_spreadsheet_may_read_it, row)) for row in parquet.fetchall()], path


def as_a_spreadsheet_may_read_it(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith("=") else value


def test_a_spreadsheet_reads_the_csv_as_it_is_meant(first, read_meanwhile):
    exports = first.pipeline.settings.published / "exports"
    texts = {path: path.read_bytes().decode() for path in exports.rglob("*.csv")}
    assert all(text.startswith(BYTE_ORDER_MARK) for text in texts.values())
    endpoints = texts[exports / "rolling" / "cost_by_endpoint_daily.csv"]
    assert endpoints.count('"\'=1+1"') == 1
    weeks = texts[exports / "tables" / "weekly_summary.csv"]
    assert re.search(r",-\d+\.\d+,", weeks), "a negative number is a number"
    numbers = [cell for text in texts.values() for cell in re.split(r'"(?:[^"]|"")*"|[,\n]', text) if cell]
    assert len(numbers) > 1000
    assert not [cell for cell in numbers if re.fullmatch(r"-?[\d.]+e[-+]?\d+", cell)]


@pytest.mark.parametrize(
    ("number", "written"),
    [
        ("8.0425e-05", "0.000080425"),
        ("-2.5e-07", "-0.00000025"),
        ("0.0001", "0.0001"),
        ("0", "0.0"),
        ("1e+22", "1" + 22 * "0"),
        ("-1.2345678901234568e+16", "-12345678901234568"),
        ("null", None),
    ],
)
def test_a_ratio_is_written_with_all_its_digits_and_without_an_exponent(number, written):
    with duckdb.connect() as connection:
        connection.execute(CSV_MACROS)
        assert connection.execute(f"select in_decimals(cast({number} as double))").fetchall() == [(written,)]


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


@pytest.mark.parametrize(
    "name",
    ["tokentrail.duckdb", "marts.json", "exports/manifest.json", "exports/months/cost_by_tenant_daily/2026-10.csv"],
)
def test_a_file_that_was_deleted_is_published_again(healed, name):
    file = healed.settings.published / name
    kept = duckdb.sql(f"from read_csv('{file}', all_varchar = true)").fetchall() if file.suffix == ".csv" else None
    file.unlink()
    assert publish(healed.settings).written
    assert file.exists()
    if kept:
        assert duckdb.sql(f"from read_csv('{file}', all_varchar = true)").fetchall() == kept
    assert not publish(healed.settings).written


def test_what_a_run_announced_and_queued_is_in_the_marts_that_it_publishes(healed):
    line = {
        "kind": "news",
        "announcement_id": "a-1",
        "budget_id": "b",
        "to_state": "warning",
        "known_at": "2026-11-23T12:00:00",
    }
    with one_writer(announcements_folder(healed.settings)) as append:
        append([line, {"kind": "watched", "budget_id": "b", "known_at": "2026-11-23T12:00:00"}])
    told = Event("run/1", "run/daily", "run", "warning", "It failed", "why", "", AS_OF, ("oncall",))
    enqueue(healed.settings, [told])
    assert publish(healed.settings).written
    assert healed.ask("select announcement_id, to_state from budget_announcements") == [("a-1", "warning")]
    assert healed.ask("select event_key, status from notification_outbox") == [("run/1", "waiting")]
