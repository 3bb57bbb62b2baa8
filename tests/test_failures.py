"""A failure says why: in the message to on-call, in the ledger and in the last line of a command, with where to look."""

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import dagster as dg
import pytest

from orchestration.commands.screen import print_screen
from orchestration.launching import Outcome
from orchestration.notifications import read_outbox
from orchestration.notifications.failed_runs import FailedRun, tell_on_call
from orchestration.plain import plain_console
from orchestration.run_failures import why_it_failed
from orchestration.sentences import in_words, sentence_of
from orchestration.settings import PROJECT, from_environment
from orchestration.tables import print_table
from orchestration.wording import innermost
from pricing.overrides import OverrideError
from tests.pipeline import AS_OF, pipeline_at

MISTAKES = "prices/acme.yml entry 1: `from` is missing: add it.\nprices/acme.yml entry 2: unknown key `inptu`: use one of from."


def failure_of(raised: Exception, settings) -> FailedRun:
    """What is known of a run with a step that raises."""

    @dg.op
    def breaks():
        raise raised

    @dg.job(executor_def=dg.in_process_executor)
    def doomed():
        breaks()

    with dg.DagsterInstance.ephemeral() as instance:
        result = doomed.execute_in_process(instance=instance, raise_on_error=False)
        return why_it_failed(settings, instance, result.run_id, "doomed")


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.delenv("TOKENTRAIL_CHANNEL_ONCALL", raising=False)
    return pipeline_at(tmp_path / "data").settings


@pytest.mark.parametrize(
    ("raised", "sentence"),
    [
        (OverrideError(MISTAKES), MISTAKES),
        (dg.Failure("raw/_lock: another load is running."), "raw/_lock: another load is running."),
        (
            OSError(28, "No space left on device", "/data/x"),
            "OSError: [Errno 28] No space left on device: '/data/x'. Free space below {data}",
        ),
        (
            ModuleNotFoundError("No module named 'duckdb'"),
            "The package duckdb is missing or broken: delete the folder .venv",
        ),
        (KeyError("tenant"), "KeyError: 'tenant' (tests/test_failures.py line "),
    ],
)
def test_the_innermost_sentence_is_found_in_a_step(root, raised, sentence):
    failed = failure_of(raised, root)
    assert (failed.step, failed.title) == ("breaks", "doomed failed in breaks")
    assert failed.error.startswith(sentence.format(data=root.data))
    assert "Traceback" not in failed.error
    assert failed.address == f"`make ui`, http://localhost:3000/runs/{failed.run_id}"


def test_a_check_that_stops_a_run_says_what_it_found(root):
    @dg.asset
    def table():
        pass

    @dg.asset_check(asset=table, blocking=True)
    def ties():
        return dg.AssetCheckResult(passed=False, description="3 rows of fct_attempts are in no mart.")

    @dg.asset(deps=[table])
    def below():
        pass

    job = dg.define_asset_job("doomed", executor_def=dg.in_process_executor)
    definitions = dg.Definitions([table, below], asset_checks=[ties], jobs=[job])
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def("doomed").execute_in_process(instance=instance, raise_on_error=False)
        failed = why_it_failed(root, instance, result.run_id, "doomed")
    assert failed.error == "table, check ties: 3 rows of fct_attempts are in no mart."


def test_the_message_to_on_call_has_the_cause_the_page_and_what_readers_see(tmp_path, monkeypatch):
    monkeypatch.delenv("TOKENTRAIL_CHANNEL_ONCALL", raising=False)
    settings = pipeline_at(tmp_path / "data", ui_url="https://dagster.example/").settings
    failed = failure_of(OverrideError(MISTAKES), settings)
    assert tell_on_call(settings, [failed]) is None
    [message] = read_outbox(settings)
    assert message["title"] == "doomed failed in breaks"
    body = message["body"].replace("\N{ZERO WIDTH SPACE}", "")
    assert "entry 1: 'from' is missing: add it." in body
    assert f"Run: https://dagster.example/runs/{failed.run_id}\nNothing is published yet." in body


def test_the_last_line_after_a_failed_run_has_it_all(root, tmp_path):
    error = "prices/acme.yml entry 1: " + "x" * 200 + "\nsecond sentence."
    failed = FailedRun(
        "id", "daily_attribution", "price_book_ledger", error, "`make ui`, http://localhost:3000/runs/id"
    )
    console = plain_console(110, StringIO())
    print_screen(root, console, Outcome("daily_attribution", "id", AS_OF, 71, tmp_path / "run.log", failed))
    lines = console.file.getvalue().splitlines()
    assert lines[0] == "daily_attribution failed in price_book_ledger after 1 min 11 s. Nothing is published yet."
    assert lines[-1] == f"{error.splitlines()[0]} (1 more line above) Run: `make ui`, http://localhost:3000/runs/id"
    assert f"The log is {tmp_path / 'run.log'}." in lines


def run_python(code: str, data: Path, module_path: str = "") -> subprocess.CompletedProcess:
    environment = os.environ | {"TOKENTRAIL_DATA": str(data), "PYTHONPATH": f"{module_path}:{PROJECT}"}
    return subprocess.run(
        [sys.executable, "-m", *code.split()], env=environment, capture_output=True, text=True, check=False, cwd=PROJECT
    )


def test_a_missing_package_ends_a_command_in_one_line(tmp_path):
    (tmp_path / "duckdb.py").write_text("raise ModuleNotFoundError(\"No module named 'duckdb'\")")
    (tmp_path / "data" / "state").mkdir(parents=True)
    done = run_python("orchestration.commands.report", tmp_path / "data", str(tmp_path))
    [line] = done.stderr.splitlines()
    assert done.returncode == 1
    assert line.startswith(
        "The package duckdb is missing or broken: delete the folder .venv, and the next `make` installs it"
    )
    [log] = (tmp_path / "data" / "state" / "logs").glob("*-report.log")
    assert line.endswith(f"Log: {log}")
    assert "Traceback" in log.read_text()


def test_a_damaged_publication_ends_a_command_in_one_line(tmp_path):
    (tmp_path / "data" / "published").mkdir(parents=True)
    (tmp_path / "data" / "published" / "tokentrail.duckdb").write_text("half a file")
    done = run_python("orchestration.commands.screen", tmp_path / "data")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "tokentrail.duckdb" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["weekly", "WEK=2026-W47"], "WEK: no such argument. There are WEEK FROM TO"),
        (["explain", "REQUST=x", "WEEK=a b=c"], "REQUST: no such argument."),
    ],
)
def test_a_misspelt_argument_of_make_is_not_ignored(arguments, sentence):
    done = subprocess.run(
        ["make", "-C", str(PROJECT), "-o", "environment", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert sentence in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("TOKENTRAIL_THREADS", "many", "TOKENTRAIL_THREADS is 'many': it is not a whole number."),
        ("TOKENTRAIL_GIVE_UP_SHARE", "most", "TOKENTRAIL_GIVE_UP_SHARE is 'most': it is not a number."),
        (
            "TOKENTRAIL_AS_OF",
            "yesterday",
            "TOKENTRAIL_AS_OF is 'yesterday': it is not an instant such as 2026-11-20T07:00:00Z.",
        ),
        ("TOKENTRAIL_MEMORY_LIMIT", "3XB", "TOKENTRAIL_MEMORY_LIMIT is '3XB': give a size such as 3GB or 800MB."),
    ],
)
def test_a_setting_that_cannot_be_read_is_explained(name, value, sentence):
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        from_environment({name: value})
    assert str(raised.value).startswith(sentence)


def test_of_a_long_text_the_last_error_is_quoted():
    text = "Encountered an error:\nTraceback (most recent call last):\n  File x\nOSError: [Errno 28] No space left on device\n"
    assert innermost(text) == "OSError: [Errno 28] No space left on device"
    assert in_words("RuntimeError", text).startswith(
        "RuntimeError: OSError: [Errno 28] No space left on device. Free space below"
    )
    assert sentence_of(ValueError("FROM is 'x': give a date that exists.")) == "FROM is 'x': give a date that exists."


def test_no_name_is_broken_over_lines():
    names = ("a-rather-long-endpoint.name-v12", "openai/gpt-5.2-chat-latest-2026-11-20")
    rows = [(names[0], names[1], "Roll back the prompt version or hold it at a canary share")]
    for width in (120, 90, 60, 20):
        console = plain_console(width, StringIO())
        print_table(console, "Names", ["endpoint_tag", "model", "what_to_do"], rows)
        assert all(name in console.file.getvalue() for name in names)
    assert json.dumps(console.file.getvalue().splitlines()[1:3]) == json.dumps(
        [f"endpoint tag: {names[0]}", f"model: {names[1]}"]
    )
