"""A dbt that has started already makes what dbt makes, says what dbt says, and ends with whoever asked for it."""

import os
import subprocess
import tempfile
import time
from importlib.metadata import version

import duckdb
import pytest

from orchestration import dbt
from orchestration.dbt import DBT_PROJECT, INSTALLED, build_command, dbt_environment, run_dbt
from orchestration.settings import PROJECT
from orchestration.warm_dbt.start import WarmDbt
from tests.pipeline import Pipeline, event

# Views, tables, tables kept by date, contracts, tests of every kind.
SOME = (
    "--indirect-selection",
    "cautious",
    "--select",
    *(f"+path:models/marts/{subject}" for subject in ("attribution", "prices")),
)
A_LONG_QUERY = (
    "show",
    "--quiet",
    "--inline",
    "select sum(a.range * b.range) from range(10000000) a, range(10000000) b",
)
A_TEST = ("build", "--quiet", "--no-write-json", "--select", "cost_is_the_sum_of_its_parts")


def test_the_same_dbt_in_less_time(pipeline, monkeypatch):
    pipeline.land("calls.jsonl", [event("one"), event("two", model="nobody-knows", userId=None)])
    pipeline.build(*SOME)
    warm, warm_says = what_is_in(pipeline), what_a_broken_promise_says(pipeline)
    for path in pipeline.settings.data.glob("warehouse.duckdb*"):
        path.unlink()
    monkeypatch.setattr(dbt, "DBT", INSTALLED)
    run_dbt(pipeline.settings, *build_command(pipeline.settings), "--quiet", "--no-write-json", *SOME)
    assert len(warm) > 30
    assert what_is_in(pipeline) == warm
    assert (
        ended(what_a_broken_promise_says(pipeline)) == ended(warm_says) == ["Got 1 result, configured to fail if != 0"]
    )


def what_is_in(pipeline: Pipeline) -> dict[str, list[tuple]]:
    """By table or view: its columns with their types, and its rows, but for when they were built."""
    with duckdb.connect(str(pipeline.settings.warehouse), read_only=True) as warehouse:
        found = warehouse.execute(
            "select schema_name || '.' || table_name, list((column_name, data_type) order by column_index) "
            "from duckdb_columns() where not internal group by 1"
        ).fetchall()
        return {
            table: [
                *columns,
                *warehouse.execute(f"select columns(c -> c <> 'built_at') from {table} order by all").fetchall(),
            ]
            for table, columns in found
        }


def what_a_broken_promise_says(pipeline: Pipeline) -> str:
    with duckdb.connect(str(pipeline.settings.warehouse)) as warehouse:
        warehouse.execute("update marts.fct_attempts set cost_usd = cost_usd + 1")
    with pytest.raises(RuntimeError) as failed:
        run_dbt(pipeline.settings, *A_TEST)
    return str(failed.value)


def ended(text: str) -> list[str]:
    """What failed, without the time of day, which only the start of a process puts there."""
    return [line[line.index("Got") :] for line in text.splitlines() if "configured to fail" in line]


@pytest.fixture
def one(pipeline, monkeypatch):
    """As a run has it: for one command."""
    monkeypatch.setattr(dbt, "DBT", INSTALLED)
    with WarmDbt(pipeline.settings) as warm:
        yield warm


def asked(warm: WarmDbt, *arguments: str, through: tuple[str, ...] = ()) -> subprocess.Popen:
    return subprocess.Popen(
        [*through, warm.command, *arguments],
        cwd=DBT_PROJECT,
        env=os.environ | dbt_environment(warm.settings) | {"DBT_PROFILES_DIR": str(DBT_PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_it_is_dbt_for_one_command_and_then_dbt_is(one):
    for start in (False, True, True):
        if start:
            one.start()
        with asked(one, "--help") as client:
            assert "An ELT tool for managing your SQL" in client.stdout.read()
        assert client.returncode == 0
    one.server.wait(10)


def test_what_dbt_refuses_ends_with_the_code_of_dbt(one):
    one.start()
    with asked(one, "no-such-command") as client:
        assert "No such command" in client.stdout.read()
    assert client.returncode == 2


@pytest.mark.parametrize("through", [(), ("sh", "-c", '"$@"; exit', "sh")], ids=["its client", "whoever asked"])
def test_it_ends_with(one, through):
    one.start()
    with asked(one, *A_LONG_QUERY, through=through) as killed:
        log = one.settings.state / "dbt" / "dbt.log"
        while not log.exists() or log.read_text().count("Running with dbt") < 2:  # what it read ahead, and this
            time.sleep(0.1)
        killed.kill()
        assert one.server.wait(10) != 0


def test_one_that_stays_is_dbt_again_after_a_command_that_was_killed(pipeline, monkeypatch):
    """As a run has it where documentation is due."""
    monkeypatch.setattr(dbt, "DBT", INSTALLED)
    with WarmDbt(pipeline.settings, forks=True) as stays:
        stays.start()
        with asked(stays, *A_LONG_QUERY) as killed:
            log = pipeline.settings.state / "dbt" / "dbt.log"
            while not log.exists() or log.read_text().count("Running with dbt") < 2:
                time.sleep(0.1)
            killed.kill()
        with asked(stays, "--help") as client:
            assert "An ELT tool for managing your SQL" in client.stdout.read()
        assert (client.returncode, stays.server.poll()) == (0, None)
    assert stays.server.poll() is not None


def test_without_a_place_for_temporary_files_it_is_dbt(pipeline, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with WarmDbt(pipeline.settings) as warm:
        warm.start()
        assert (warm.command, warm.server) == (dbt.DBT, None)


def test_the_shortcuts_are_those_of_the_dbt_in_the_lock():
    """They replace pieces of one release; with another, dbt is slower and the suite too. Read what changed before you raise it."""
    code = (PROJECT / "orchestration" / "warm_dbt" / "shortcuts.py").read_text()
    releases = ", ".join(f'"{name}": "{version(name)}"' for name in ("dbt-core", "dbt-common"))
    assert f"RELEASES = {{{releases}}}" in code
