"""A fault at any call of a publication leaves the former one or the next, whole, and one more run completes (DESIGN 1, promise 12)."""

import json
import os
import random
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from benchmarks.faults.inject import armed
from benchmarks.faults.readers import broken_parts
from orchestration.publishing.publication import publish
from orchestration.publishing.publications import KEPT, PublicationError, new_publication, replace_file
from orchestration.settings import PROJECT, Settings
from orchestration.warehouse import open_marts
from tests.pipeline import WITHOUT_TESTS, Pipeline, event, pipeline_at

POINTS = 6  # `make bench-faults` has hundreds
PUBLISH = """
import sys
from benchmarks.faults.inject import armed, limit_file_size
from orchestration.publishing.publication import publish
from orchestration.settings import from_environment

at, action = sys.argv[1:]
settings = from_environment()
if action == "size":
    limit_file_size(int(at))
    publish(settings)
with armed(settings.data, int(at), action):
    publish(settings)
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Pipeline:
    pipeline = pipeline_at(tmp_path_factory.mktemp("publication faults") / "data")
    pipeline.land("events.jsonl", [event("one"), event("october", "2026-10-31T10:00:00Z")])
    pipeline.run(*WITHOUT_TESTS)
    return pipeline


def news(pipeline: Pipeline) -> Settings:
    """Something to publish: every date was built a second later."""
    with duckdb.connect(str(pipeline.settings.warehouse)) as connection:
        connection.execute("update tokentrail.built set built_at = built_at + interval 1 second")
    return pipeline.settings


def signature(settings: Settings) -> str:
    return json.loads((settings.published / "marts.json").read_text())["signature"]


def leftovers(settings: Settings) -> list[str]:
    return [path.name for path in settings.publications.iterdir() if path.name.startswith(".")]


@pytest.fixture(scope="module")
def calls(root) -> int:
    """How many calls a publication makes; readers look before each of them."""
    settings, seen = news(root), []
    before = signature(settings)

    def look(where: str) -> None:
        seen.extend(f"{where}: {sentence}" for sentence in broken_parts(settings.data))
        signatures.append(signature(settings))

    signatures: list[str] = []
    with armed(settings.data, observe=look) as plan:
        publish(settings)
    assert seen == []
    assert signatures == sorted(signatures, key=lambda one: one != before), (
        "the former, and from one moment on the next"
    )
    assert len(set(signatures)) == 2
    return plan.seen


def test_readers_find_one_whole_publication_before_every_call(calls):
    assert calls > 200


def test_an_error_at_any_call_leaves_a_whole_publication_and_the_next_run_completes(root, calls):
    chosen = random.Random(15).sample(range(1, calls + 1), POINTS)
    for place, at in enumerate(chosen):
        settings = news(root)
        before = signature(settings)
        failed = None
        try:
            with armed(settings.data, at, ("enospc", "eio")[place % 2]):
                publish(settings)
        except (PublicationError, OSError, duckdb.Error) as error:
            failed = error
        assert broken_parts(settings.data) == [], (at, failed)
        assert (signature(settings) == before) or failed is None, (at, "it was published, and yet it failed")
        publish(settings)
        assert broken_parts(settings.data) == []
        assert signature(settings) != before
        assert leftovers(settings) == []
        # what hits the removal of old ones fails nothing, and leaves one more until something is published again
        assert len(list(settings.publications.glob("2*"))) <= KEPT + (failed is None)


def test_a_full_disk_is_a_sentence(root, calls):
    settings = news(root)
    with (
        pytest.raises(PublicationError, match=r"No space left on device.*Readers keep the former one\. Make space"),
        armed(settings.data, calls // 2, "enospc"),
    ):
        publish(settings)


@pytest.mark.parametrize(("share", "action"), [(0.5, "kill"), (0.97, "kill"), (0, "size")])
def test_a_kill_or_a_disk_that_fills_in_the_middle_of_a_write(root, calls, share, action):
    settings = news(root)
    before = signature(settings)
    at = 3_000_000 if action == "size" else max(1, int(calls * share))
    command = [sys.executable, "-c", PUBLISH, str(at), action]
    named = {
        "PYTHONPATH": str(PROJECT),
        "TOKENTRAIL_DATA": str(settings.data),
        "TOKENTRAIL_AS_OF": settings.as_of.isoformat(),
    }
    ended = subprocess.run(command, cwd=PROJECT, env=os.environ | named, check=False)
    assert ended.returncode == (1 if action == "size" else -signal.SIGKILL)
    assert broken_parts(settings.data) == []
    publish(settings)
    assert broken_parts(settings.data) == []
    assert signature(settings) != before
    assert leftovers(settings) == []


def test_files_that_stay_are_the_same_files_and_nobody_can_write_into_them(root):
    settings = root.settings
    publish(settings)
    former = settings.published.resolve()
    inode = (former / "tokentrail.duckdb").stat().st_ino
    publish(pipeline_at(settings.data, as_of=settings.as_of + timedelta(days=1)).settings)
    assert settings.published.resolve() != former
    assert settings.published_marts.stat().st_ino == inode
    assert settings.published_marts.stat().st_mode & 0o777 == 0o444
    manifest = "exports/manifest.json"  # the rolling days end a day later
    assert (settings.published / manifest).stat().st_ino != (former / manifest).stat().st_ino
    assert (former / manifest).exists()


def test_a_connection_that_stays_open_does_not_give_its_own_file_for_the_next_one(root):
    """DuckDB goes by the path: the marts are opened by the publication's own."""
    settings = news(root)
    with duckdb.connect(str(settings.published_marts), read_only=True) as patient:
        publish(settings)
        with open_marts(settings) as marts:
            [now] = marts.execute("select signature from publication").fetchone()
        [then] = patient.execute("select signature from marts.publication").fetchone()
    assert now == signature(settings) != then


def test_the_file_of_an_earlier_release_is_not_carried_along(root):
    settings = news(root)
    (settings.published / "marts.duckdb").write_text("under its former name")
    publish(settings)
    assert [path.name for path in settings.published.glob("*.duckdb")] == ["tokentrail.duckdb"]


def test_the_folder_of_an_earlier_release_is_taken_over_with_what_a_crash_left_in_it(tmp_path):
    settings = pipeline_at(tmp_path / "data").settings
    old = settings.published
    (old / "weekly").mkdir(parents=True)
    (old / "weekly" / "2026-W47.md").write_text("a week")
    (old / ".marts.duckdb.next").write_text("half")
    with new_publication(settings) as folder:
        replace_file(folder / "marts.json", "{}")
    assert settings.published.is_symlink()
    assert {path.name for path in settings.published.iterdir()} == {"weekly", "marts.json"}
    assert (settings.published / "weekly" / "2026-W47.md").read_text() == "a week"


@pytest.mark.parametrize("moved", [False, True])
def test_a_take_over_that_was_killed_is_completed(tmp_path, moved):
    settings = pipeline_at(tmp_path / "data").settings
    (settings.published / "weekly").mkdir(parents=True)
    if moved:
        settings.publications.mkdir()
        settings.published.rename(settings.publications / "20261101T000000000000Z")
    with pytest.raises(KeyboardInterrupt), new_publication(settings):
        raise KeyboardInterrupt
    assert (settings.published / "weekly").is_dir()
    assert settings.published.is_symlink()


@pytest.mark.parametrize("what", ["a file", "a link elsewhere", "a link to nothing"])
def test_what_is_in_the_place_of_the_link_is_a_sentence(tmp_path, what):
    settings = pipeline_at(tmp_path / "data").settings
    settings.data.mkdir(exist_ok=True)
    if what == "a file":
        settings.published.write_text("")
    else:
        (tmp_path / "elsewhere").mkdir()
        settings.published.symlink_to(tmp_path / ("elsewhere" if what == "a link elsewhere" else "nothing"))
    with pytest.raises(PublicationError, match=r"published is a (file|link).* run again\.$"), new_publication(settings):
        pass


def test_only_what_is_published_can_be_read_by_others(root):
    settings = root.settings
    readable = {path.name for path in settings.data.iterdir() if path.stat().st_mode & 0o007}
    assert readable - {"landing"} == {"publications", "published"}  # who may read what landed is its senders' to say
    for path in [Path(settings.published).resolve(), *settings.published.resolve().rglob("*")]:
        assert path.stat().st_mode & 0o004, path
