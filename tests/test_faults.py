"""Crashes and bad files: a killed run leaves a state that the next run completes, and readers never notice (rules 1, 2, 9)."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.settings import PROJECT
from tests.pipeline import COSTS, WITHOUT_TESTS, Pipeline, event, pipeline_at

GIVE_UP_SECONDS = 120
RUN = f"""
import sys
from pathlib import Path
from tests.pipeline import pipeline_at
pipeline_at(Path(sys.argv[1])).run(*{(*WITHOUT_TESTS, *COSTS)!r})
"""
GOOD = [event("good"), event("good"), event("unknown", provider="selfhosted", model="acme-internal-7b")]
MANY = [
    event(f"r{number}", f"2026-10-{1 + day:02d}T{number:02d}:00:00Z", attempt=1)
    for day in range(20)
    for number in range(15)  # ids come back every day: the days look sideways at each other
]


def line(request: str) -> bytes:
    return json.dumps(event(request)).encode() + b"\n"


def bad_files(folder: Path) -> None:
    """Six files that break in six ways; where there are whole good lines, they name the file."""
    folder.mkdir(parents=True)
    packed = gzip.compress(b"".join(line(f"before-the-break-{number}") for number in range(2000)))
    (folder / "truncated.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    (folder / "overlong.jsonl").write_bytes(
        line("before-overlong") + b"x" * 10_000_000 + b"\n" + line("after-overlong")
    )
    (folder / "latin1.jsonl").write_bytes(b'{"externalRequestId": "caf\xe9"}\n' + line("after-latin1"))
    (folder / "empty.jsonl").write_bytes(b"")
    typed = pa.Table.from_pylist([event("mistyped") | {"inputTokens": ["a", "list"]}])
    pq.write_table(typed, folder / "mistyped.parquet")
    names = list(event("any"))
    shifted = [*map(str, list(event("shifted").values())[1:]), ""]
    whole = [*map(str, event("whole-csv").values())]
    rows = [names, shifted, whole, [*whole, "one too many"]]
    (folder / "shifted.csv").write_text("".join(",".join(row) + "\n" for row in rows))


REJECTED = {  # file -> the reasons of its rejected lines
    "truncated.jsonl.gz": {"truncated_gzip"},
    "overlong.jsonl": {"line_too_long"},
    "latin1.jsonl": {"invalid_utf8"},
    "empty.jsonl": {"empty_file"},
    "mistyped.parquet": {"bad_value"},
    "shifted.csv": {"wrong_column_count", "bad_timestamp"},
}


@dataclass(frozen=True)
class Story:
    """What readers saw before and after the kills, and what an undisturbed run over the same files gives."""

    pipeline: Pipeline
    before: dict[str, list[tuple]]
    while_broken: dict[str, dict[str, list[tuple]]]
    after: dict[str, list[tuple]]


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Pipeline:
    """A first publication, of good files and bad ones."""
    pipeline = pipeline_at(tmp_path_factory.mktemp("faults") / "data")
    pipeline.land("good.jsonl", GOOD)
    bad_files(Path(pipeline.settings.landing) / "events" / "dt=2026-11-21")
    pipeline.run(*WITHOUT_TESTS)
    return pipeline


@pytest.fixture(scope="module")
def story(base) -> Story:
    """New files land; four runs in a row are killed, each a step further; the fifth is left alone."""
    before = base.tables()
    base.land("many.jsonl", MANY, "2026-11-22")
    while_broken = {}
    for step, reached in KILLS.items():
        with running(base) as process:
            kill_when(process, reached(base))
        while_broken[step] = base.tables()
    base.run(*WITHOUT_TESTS)
    return Story(base, before, while_broken, base.tables())


@pytest.fixture(scope="module")
def undisturbed(story) -> dict[str, list[tuple]]:
    story.pipeline.forget()
    story.pipeline.run(*WITHOUT_TESTS)
    return story.pipeline.tables()


@contextmanager
def running(pipeline: Pipeline) -> Iterator[subprocess.Popen]:
    """A run in a process group of its own: dbt is killed with it."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(pipeline.settings.data)],
        cwd=PROJECT,
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def kill_when(process: subprocess.Popen, reached: Callable[[], bool]) -> None:
    """SIGKILL to the whole group at the first sight of a state; fails when the run ends before it."""
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while not reached():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, "the run never came to the state to be killed in"
        time.sleep(0.0005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def data_without_manifest(pipeline: Pipeline) -> Callable[[], bool]:
    raw = pipeline.settings.raw
    there = set(raw.glob("events/*/load=*"))
    manifests = set((raw / "_loads").glob("*.parquet"))

    def reached() -> bool:
        found = set(raw.glob("events/*/load=*")) - there
        assert set((raw / "_loads").glob("*.parquet")) == manifests, "too late: the load is complete"
        return len(found) > 3

    return reached


def dbt_says(words: str) -> Callable[[Pipeline], Callable[[], bool]]:
    def after_now(pipeline: Pipeline) -> Callable[[], bool]:
        log = pipeline.settings.state / "dbt" / "dbt.log"
        log.touch()  # the test's own builds write none
        start = log.stat().st_size

        def reached() -> bool:
            with log.open("rb") as lines:
                lines.seek(start)
                return words.encode() in lines.read()

        return reached

    return after_now


def copy_not_in_place(pipeline: Pipeline) -> Callable[[], bool]:
    return lambda: any(pipeline.settings.publications.glob(".*.partial/tokentrail.duckdb"))


KILLS = {
    "load: data, no manifest": data_without_manifest,
    "dbt: the fact is being written": dbt_says("START sql incremental model marts.fct_attempts"),
    "dbt: the fact is built, its marts are not": dbt_says("START sql incremental model marts.cost_by_tenant_daily"),
    "publish: a copy that is not in place": copy_not_in_place,
}


def test_after_four_kills_a_run_gives_what_an_undisturbed_one_gives(story, undisturbed):
    assert story.after.keys() == undisturbed.keys()
    for name, rows in undisturbed.items():
        assert (name, story.after[name] == rows) == (name, True)


def test_readers_keep_the_former_publication_while_runs_are_killed(story):
    assert story.after != story.before
    assert {step: tables == story.before for step, tables in story.while_broken.items()} == dict.fromkeys(KILLS, True)


def test_a_killed_load_leaves_nothing_behind(story, undisturbed):
    files = story.pipeline.settings.raw.glob("**/*.partial")
    assert not list(files)


def test_each_bad_file_ends_in_a_sentence(base):
    refusals = base.ask("select landing_file, reason_code, message from rejected_events")
    reasons = {name: {reason for file, reason, _ in refusals if file.endswith(f"/{name}")} for name in REJECTED}
    assert reasons == REJECTED
    for file, reason, message in refusals:
        assert message.startswith(f"landing/{file}")
        assert f"rejected, {reason}: " in message
        assert message.endswith(".")


def test_bad_lines_do_not_stop_good_ones(base):
    counted = {request for (request,) in base.ask("select request_id from fct_attempts")}
    assert {"good", "before-overlong", "after-overlong", "after-latin1", "whole-csv"} <= counted
    assert {"mistyped", "shifted"} & counted == set()
    assert any(request.startswith("before-the-break") for request in counted)


def test_rows_in_are_rows_loaded_and_rejected(story):
    short = story.pipeline.inside(
        "select landing_file from staging.stg_loads group by all having sum(rows_in) <> sum(rows_loaded + rows_rejected)"
    )
    assert short == []
