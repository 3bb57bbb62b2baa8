"""What the integrity tests look at, what they say, and how a line is set aside: DESIGN section 1, rule 10.

One data root lives through a story, as in test_rebuild.py.
"""

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from orchestration import dbt
from orchestration.commands.set_aside import main
from orchestration.dbt import run_dbt
from orchestration.failures import _advice_without_lines, why_dbt_stopped, why_the_build_failed
from orchestration.landing import set_aside
from orchestration.settings import PROJECT
from tests.pipeline import COSTS, WITHOUT_TESTS, Pipeline, event, pipeline_at
from tests.test_rebuild import UNKNOWN

A_PART = ("--select", "+budget_status", "+budget_transitions")  # as somebody may select it in the UI
OVERRIDE = """
prices:
  - provider: selfhosted
    model: acme-internal-7b
    from: 2026-01-01
    per_million_tokens: {input_tokens: 2, output_tokens: 5}
    source: a test
    approved_by: test@example.com
    recorded_at: 2026-11-22
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Pipeline:
    pipeline = pipeline_at(tmp_path_factory.mktemp("verification") / "data")
    lines = [
        event("plain", attempt=1),
        event("unknown", **UNKNOWN),
        event("big", inputTokens=90_000),
        event("other-day", "2026-11-19T10:00:00Z"),
    ]
    pipeline.land("a.jsonl", lines)
    pipeline.run(*WITHOUT_TESTS)  # what is published counts as verified
    return pipeline


@pytest.fixture(scope="module")
def came_back(root) -> Pipeline:
    """A price comes, a part of the models is built with it, the price goes, and the next run builds the fact as it was."""
    override = root.settings.overrides / "acme.yml"
    override.parent.mkdir()
    override.write_text(OVERRIDE)
    root.build(*A_PART, *WITHOUT_TESTS)
    override.unlink()
    root.run()
    return root


def test_tests_compare_models_over_the_same_dates(came_back):
    """The fact was built twice since it was verified, the marts not at all: they still tie, and the run was published."""
    assert came_back.ask("select pricing_status from fct_attempts where request_id = 'unknown'") == [("unpriced",)]
    assert came_back.inside("select count(*) from (from tokentrail.built except from tokentrail.verified)") == [(0,)]


FILE, COPY = "events/dt=2026-11-20/a.jsonl", "events/dt=2026-11-21/copy.jsonl"
BIG_COST = Decimal(90_000 * 3 + 200 * 15) / 1_000_000


def asked(pipeline: Pipeline, file: str, line: object, reason: str = "") -> dict[str, str]:
    """What make exports."""
    given = {"FILE": file, "LINE": str(line), "REASON": reason}
    return {"TOKENTRAIL_DATA": str(pipeline.settings.data), "PYTHONPATH": str(PROJECT), "USER": "ada", **given}


def typed(pipeline: Pipeline, command: str, file: str, line: object, reason: str = "") -> subprocess.CompletedProcess:
    """What `make set-aside` or `make take-back` calls, as a person sees it."""
    return subprocess.run(
        [sys.executable, "-m", "orchestration.commands.set_aside", command],
        env=asked(pipeline, file, line, reason),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def verified_at(came_back) -> dict:
    return came_back.built_at()


@pytest.fixture(scope="module")
def aside(came_back, verified_at) -> Pipeline:
    """The line of 90,000 tokens is set aside while the warehouse cannot be opened, by the name of a copy of its file."""
    before = came_back.built()
    (came_back.settings.data / "landing" / COPY).parent.mkdir()
    (came_back.settings.data / "landing" / COPY).write_bytes((came_back.settings.data / "landing" / FILE).read_bytes())
    came_back.build(*WITHOUT_TESTS, *COSTS)
    assert came_back.built() == before
    good = came_back.settings.warehouse.read_bytes()
    came_back.settings.warehouse.write_bytes(b"broken")
    done = typed(came_back, "set-aside", COPY, 3, "a time in a token field")
    came_back.settings.warehouse.write_bytes(good)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"landing/{COPY} line 3 (request big, 2026-11-20) is set aside: the next run publishes without it, and rejected_events "
        f"says so. `make take-back FILE={COPY} LINE=3` counts it again.\n"
    )
    came_back.run()
    return came_back


@pytest.fixture(scope="module")
def published_aside(aside) -> dict[str, list[tuple]]:
    return aside.tables()


def test_a_line_set_aside_leaves_every_name_of_its_file(aside):
    assert aside.ask("select request_id from fct_attempts order by 1") == [("other-day",), ("plain",), ("unknown",)]
    assert aside.ask("select sum(requests) from cost_by_tenant_daily") == [(3,)]


def test_it_is_among_the_rejects_with_who_when_and_why(aside):
    [(file, number, reason, message, line)] = aside.ask(
        "select landing_file, line_number, reason_code, message, line from rejected_events"
    )
    assert (file, number, reason) == (FILE, 3, "set_aside")
    assert message.startswith(f"landing/{FILE} line 3: set aside by ada on 2")
    assert "a time in a token field" in message
    assert '"request_id":"big"' in line
    assert "null" not in line


def test_what_landed_is_what_counts_and_what_was_refused(aside):
    [(attempts, rejected)] = aside.ask("select sum(attempts), sum(rejected_rows) from data_quality_daily")
    assert (attempts, rejected) == (3, 1)
    assert aside.inside("select sum(rows_in) from staging.stg_loads where landing_file = '" + FILE + "'") == [(4,)]


def test_only_the_dates_it_touches_were_rebuilt(aside, verified_at):
    rebuilt = {
        day
        for (model, day), at in aside.built_at().items()
        if model == "fct_attempts" and at != verified_at[model, day]
    }
    assert rebuilt == {"2026-11-20"}


def test_a_rebuild_equals_the_increments_with_a_line_aside(aside, published_aside):
    aside.settings.warehouse.unlink()
    aside.run(*WITHOUT_TESTS)
    assert aside.tables() == published_aside


@pytest.fixture(scope="module")
def taken_back(aside, published_aside) -> Pipeline:
    done = typed(aside, "take-back", f"landing/{FILE}", 3)
    assert (done.returncode, done.stderr) == (0, "")
    aside.run(*WITHOUT_TESTS, *COSTS)
    return aside


def test_what_is_taken_back_counts_again(taken_back):
    assert taken_back.ask("select cost_usd from fct_attempts where request_id = 'big'") == [(BIG_COST,)]
    assert taken_back.ask("select count(*) from rejected_events") == [(0,)]


@pytest.mark.parametrize(
    ("command", "file", "line", "sentence"),
    [
        ("take-back", FILE, 3, "is not set aside: nothing was written."),
        ("set-aside", FILE, 99, "has no loaded line 99: lines count from 1"),
        ("set-aside", "events/dt=2026-11-20/b.jsonl", 1, f"Is it {FILE}, or"),
        ("set-aside", "incidents/dt=2026-11-20/b.jsonl", 1, "give a file of events by its path"),
        ("set-aside", "", "", "FILE is empty"),
        ("set-aside", FILE, "", "LINE is ''"),
        ("set-aside", FILE, "-1", "LINE is '-1': give a whole number"),
        ("set-aside", "events/$(touch x)'; drop", "1", "no load has taken in a file of this name"),
    ],
)
def test_what_cannot_be_set_aside_is_a_sentence(taken_back, monkeypatch, capsys, command, file, line, sentence):
    """As `typed` has it, without a process for each."""
    for name, value in asked(taken_back, file, line).items():
        monkeypatch.setenv(name, value)
    assert main([command]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert sentence in printed.err


def test_before_the_first_load_there_is_nothing_to_set_aside(tmp_path):
    empty = pipeline_at(tmp_path / "data")
    with pytest.raises(set_aside.NoSuchLineError, match="has no load yet"):
        set_aside.find_line(empty.settings, FILE, 1)


BROKEN = {  # a test -> what makes it fail
    "assert_marts_tie_to_fact": "update marts.cost_by_tenant_daily set attempts = attempts + 1 where event_date = '2026-11-19'",
    "unique_key_fct_attempts": "insert into marts.fct_attempts select * from marts.fct_attempts where request_id = 'big'",
}


@pytest.fixture(scope="module")
def broken(taken_back) -> str:
    """Marts that somebody changed by hand: what the run says of them."""
    with duckdb.connect(str(taken_back.settings.warehouse)) as connection:
        for statement in (*BROKEN.values(), "delete from tokentrail.verified"):
            connection.execute(statement)
    before = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    with pytest.raises(RuntimeError):
        run_dbt(taken_back.settings, "test", "--select", "assert_marts_tie_to_fact", "fct_attempts,test_type:generic")
    return why_the_build_failed(taken_back.settings, before)


def test_a_failed_test_names_the_lines_behind_it(broken):
    assert f"__attempt_key: 1 row fails. The lines are landing/{FILE} line 3, request big. " in broken


def test_a_test_about_a_date_names_the_likeliest_lines(broken):
    (_, about) = broken.split("assert_marts_tie_to_fact: ")
    [sentence] = [words for words in about.split(". ") if words.startswith("The most likely lines are ")]
    assert f"landing/{FILE} line 4, request other-day" in sentence


def test_the_message_says_what_to_do(broken):
    assert broken.endswith(
        "lets the next run publish without a line, `make take-back` counts it again (docs/operate.md, When a run fails)."
    )
    assert f"`make set-aside FILE={FILE} LINE=" in broken


def why_it_cannot_be_built(settings, project: Path, expression: str, monkeypatch) -> str:
    """What on-call reads after `expression` came into int_exposure."""
    shutil.copytree(dbt.DBT_PROJECT, project)
    monkeypatch.setattr(dbt, "DBT_PROJECT", project)
    [model] = project.rglob("int_exposure.sql")
    model.write_text(model.read_text().replace("sum(unpriced_", f"{expression} + sum(unpriced_", 1))
    before = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    with pytest.raises(RuntimeError):
        run_dbt(settings, "run", "--select", "int_exposure")
    return why_the_build_failed(settings, before)


def test_a_model_that_cannot_be_built_names_the_largest_new_lines(taken_back, broken, tmp_path, monkeypatch):
    too_large = "cast('1795165204123' as integer)"
    why = why_it_cannot_be_built(taken_back.settings, tmp_path / "dbt_project", too_large, monkeypatch)
    assert why.startswith("int_exposure could not be built: ")
    assert "Could not convert string '1795165204123' to INT32" in why
    assert f"arrived since the last publication are in landing/{FILE} line 3, request big;" in why


def test_an_error_that_no_value_can_cause_is_not_blamed_on_lines(taken_back, broken, tmp_path, monkeypatch):
    project = tmp_path / "dbt_project"
    why = why_it_cannot_be_built(taken_back.settings, project, "misspelt_column", monkeypatch)
    assert 'Referenced column "misspelt_column" not found' in why
    assert why.endswith("No line that landed causes such an error: please report it with state/dbt/build.log.")
    assert "set-aside" not in why


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (
            "Out of Memory Error: could not allocate block of size 256.0 KiB (2.7 GiB/2.7 GiB used)",
            "Raise TOKENTRAIL_MEMORY_LIMIT if there is more memory, or lower TOKENTRAIL_THREADS.",
        ),
        ("IO Error: Could not write file: No space left on device", "Free space below /data, and run it again."),
    ],
)
def test_the_trouble_of_a_machine_is_not_blamed_on_lines(error, advice):
    assert (
        _advice_without_lines(f"Runtime Error in model int_exposure\n  {error}", SimpleNamespace(data="/data"))
        == advice
    )


def test_a_warehouse_that_another_run_took_first_says_what_to_do(tmp_path):
    """As DuckDB says it to dbt, where that run began between the look before the build and the build."""
    path = tmp_path / "warehouse.duckdb"
    hold = "import duckdb, sys; it = duckdb.connect(sys.argv[1]); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", hold, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(duckdb.IOException) as held:
            duckdb.connect(str(path))
    why = why_dbt_stopped(SimpleNamespace(data=tmp_path), held.value)
    assert f"(PID {other.pid})" in why
    assert why.endswith(". Wait for the other process, or end it, and run it again.")
    assert why_dbt_stopped(SimpleNamespace(data=tmp_path), None) == ""


def test_a_dbt_that_was_killed_is_a_sentence_with_what_to_do(tmp_path):
    """Of dagster-dbt, as it was read after `kill -9` while dbt wrote the warehouse out."""
    said = "The dbt CLI process with command\n\n`dbt build`\n\nfailed with exit code `-9`. Check the stdout in the Dagster logs."
    assert why_dbt_stopped(SimpleNamespace(data=tmp_path), Exception(said)) == (
        "dbt was ended by SIGKILL, as the system does where memory ran out (a smaller TOKENTRAIL_MEMORY_LIMIT leaves more of it), "
        "or somebody did. What it had built is kept: run again."
    )


@pytest.mark.parametrize(
    "error", ["Conversion Error: Could not convert string 'No space left' to INT32", "INTERNAL Error: Assertion failed"]
)
def test_what_values_may_cause_names_lines(error):
    assert not _advice_without_lines(f"Runtime Error in model int_exposure\n  {error}", SimpleNamespace(data="/data"))
