"""Trouble of the machine stops a load with a sentence and refuses nothing; one odd file or folder stops nobody else's."""

import gzip
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import dagster as dg
import fsspec
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from orchestration.defs.raw import raw_events
from orchestration.landing.compaction import compact
from orchestration.landing.load import load_new_files
from orchestration.landing.manifests import files_with_missing_rows
from orchestration.landing.trouble import LoadStopped
from orchestration.landing.waiting import new_files
from orchestration.settings import PROJECT
from tests.pipeline import event, pipeline_at
from tests.test_landing import jsonl, land, manifest, rejects, rows
from tests.test_landing_safety import without_load

# Loads data roots, each under its limit on the size of any file: what a full disk does, without needing one.
SCRIPT = """
import os, resource, signal, sys
from orchestration.landing.load import load_new_files
from orchestration.landing.trouble import LoadStopped
from orchestration.settings import from_environment
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for root, limit in zip(sys.argv[1::2], sys.argv[2::2]):
    if not os.fork():
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit),) * 2)
        try:
            load_new_files(from_environment({"TOKENTRAIL_DATA": root, "TOKENTRAIL_THREADS": "2"}))
        except LoadStopped as stopped:
            print(stopped, flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.fixture
def settings(tmp_path: Path):
    return pipeline_at(tmp_path / "data", threads=2).settings


@pytest.fixture
def control(settings, tmp_path):
    """The same landing files, loaded by a machine without trouble."""

    def loaded():
        other = pipeline_at(tmp_path / "control", threads=2).settings
        load_new_files(replace(other, landing_address=settings.landing))
        return other

    return loaded


def land_some(settings) -> None:
    for number in range(3):
        days = [f"2026-11-{1 + n % 5:02d}T10:00:00Z" for n in range(400)]
        noise = [event(f"{number}-{n}", day, note=uuid4().hex) for n, day in enumerate(days)]
        land(settings, f"{number}.jsonl", [*noise, event("bad", status="nope"), '{"broken'])


def same_as(settings, control) -> None:
    assert without_load(rows(settings)) == without_load(rows(control))
    assert without_load(rejects(settings)) == without_load(rejects(control))
    assert files_with_missing_rows(settings) == []


@pytest.mark.parametrize("memory_limit", ["1MB", "4MB"])
def test_too_little_memory_refuses_no_line(settings, control, memory_limit):
    land_some(settings)
    with pytest.raises(LoadStopped, match=rf"for lack of memory .*TOKENTRAIL_MEMORY_LIMIT is {memory_limit}: raise it"):
        load_new_files(replace(settings, memory_limit=memory_limit))
    load = load_new_files(settings)
    assert (load.rows_in, load.rejects_by_reason) == (1206, {"bad_status": 3, "invalid_json": 3})
    same_as(settings, control())


def test_too_little_space_refuses_no_line(settings, control, tmp_path):
    land_some(settings)
    limits = (100, 1_000, 2_500, 5_000)
    roots = [pipeline_at(tmp_path / str(limit), threads=2).settings for limit in limits]
    for root in roots:
        shutil.copytree(settings.landing, root.landing)
    pairs = [str(part) for root, limit in zip(roots, limits, strict=True) for part in (root.data, limit)]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *pairs], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    said = re.findall(r"stopped for lack of space below .*/(\d+) \(.*File too large.*run again", done.stdout)
    assert [int(limit) for limit in said] == list(limits), done
    undisturbed = control()
    for root in roots:
        assert list((root.raw / "_loads").glob("2*")) == []
        assert load_new_files(root).rows_in == 1206
        same_as(root, undisturbed)


@pytest.mark.parametrize("step", ["rejects", "write_table", "sync", "open_database", "merge"])
def test_an_error_of_the_machine_at_any_step_is_a_sentence(settings, monkeypatch, step):
    land_some(settings)
    name = {"rejects": "RejectsFile.close"}.get(step, step)

    def fails(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(f"orchestration.landing.load.{name}", fails)
        full.setattr("orchestration.landing.load.BATCH_BYTES", 20_000)
        full.setattr("orchestration.landing.lines.READ_BYTES", 20_000)
        with pytest.raises(LoadStopped, match=r"Loading events stopped for lack of space .*Free some"):
            load_new_files(settings)
    assert manifest(settings) == []
    assert load_new_files(settings).rows_in == 1206


def test_the_asset_shows_the_sentence(settings):
    land_some(settings)
    with pytest.raises(dg.Failure) as failure:
        raw_events(dg.build_asset_context(), replace(settings, memory_limit="1MB"))
    assert "TOKENTRAIL_MEMORY_LIMIT is 1MB: raise it" in failure.value.description
    assert failure.value.__cause__ is None


def test_what_is_loaded_stays_loaded_when_tidying_up_fails(settings, monkeypatch):
    land(settings, "a.jsonl", [event("1")])
    said = []
    with monkeypatch.context() as full:
        full.setattr("orchestration.landing.load.compact_held", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        assert load_new_files(settings, report=said.append).rows_loaded == 1
    assert said == ["events: everything is loaded, but small files were left as they are ([Errno 28] full)."]
    assert load_new_files(settings).load_id is None


def test_a_name_that_is_not_utf8_is_refused_readably(settings):
    land(settings, "a.jsonl", [event("1")])
    folder = os.fsencode(Path(settings.landing) / "events" / "dt=2026-11-21")
    for name in (b"caf\xe9.jsonl", b"sub\xff/b.jsonl"):
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(jsonl([event("odd")]))
    load = load_new_files(settings)
    assert (load.rows_loaded, load.rejects_by_reason) == (1, {"bad_file_name": 2})
    first, second = sorted(row["message"] for row in rejects(settings))
    assert first.startswith(
        r"landing/events/dt=2026-11-21/caf\xe9.jsonl: rejected, bad_file_name: its name is no UTF-8: the bytes that are "
        r"not are written as \xNN here. "
    )
    assert r"sub\xff/b.jsonl" in second
    assert load_new_files(settings).load_id is None
    assert new_files(settings) == []


@pytest.mark.parametrize(
    "name", ["x" * 249 + ".jsonl", "a\nb\t\x1b[31m.jsonl", "it's [1]*?.jsonl", "ü" * 120 + ".jsonl"]
)
def test_odd_names_load(settings, name):
    land(settings, name, [event("1"), event("2", status="nope")])
    load = load_new_files(settings)
    assert (load.rows_loaded, load.rows_rejected) == (1, 1)
    assert manifest(settings)[0]["landing_file"] == f"events/dt=2026-11-21/{name}"


def grows(path: Path) -> None:
    with path.open("ab") as file:
        file.write(jsonl([event("more")]))


def becomes_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DISTURBED = {
    "grows": (grows, "changed while it was read"),
    "is cut": (lambda path: os.truncate(path, 5), "changed while it was read"),
    "is rewritten": (lambda path: path.write_bytes(jsonl([event("other")])), "changed while it was read"),
    "becomes a folder": (becomes_a_folder, "cannot be read now|changed while it was read"),
}


@pytest.mark.parametrize("how", DISTURBED)
@pytest.mark.parametrize("moment", ["listed", "hashed", "begun", "read"])
def test_a_file_that_changes_while_it_is_read_waits_alone(settings, monkeypatch, how, moment):
    disturb, sentence = DISTURBED[how]
    for name in ("a", "b", "c"):
        land(settings, f"{name}.jsonl", [event(name), event("bad", status=name)])
    with monkeypatch.context() as busy:
        at_the_moment(busy, moment, disturb)
        load = load_new_files(settings)
    assert sorted(row["external_request_id"] for row in rows(settings)) == ["a", "c"]
    assert load.rows_rejected == 2
    assert len(load.unread) == 1
    assert re.search(rf"landing/events/dt=2026-11-21/b\.jsonl .*({sentence})", load.unread[0])
    left = sorted(path.relative_to(settings.raw).as_posix() for path in settings.raw.rglob("load=*"))
    named = {row[column] for row in manifest(settings) for column in ("raw_file", "rejects_file")} - {None}
    assert left == sorted(named)
    again = load_new_files(settings)
    assert again.files == (0 if how == "becomes a folder" else 1)


@pytest.mark.parametrize(
    ("moment", "is_loaded"), [("listed", False), ("hashed", False), ("begun", True), ("read", True)]
)
def test_a_file_that_vanishes_is_whole_or_not_there(settings, monkeypatch, moment, is_loaded):
    for name in ("a", "b", "c"):
        land(settings, f"{name}.jsonl", [event(name)])
    with monkeypatch.context() as busy:
        at_the_moment(busy, moment, Path.unlink)
        load = load_new_files(settings)
    assert load.unread == []
    assert sorted(row["external_request_id"] for row in rows(settings)) == (
        ["a", "b", "c"] if is_loaded else ["a", "c"]
    )


def at_the_moment(monkeypatch, moment: str, disturb: Callable[[Path], None]) -> None:
    """Does something to b.jsonl, once, when a load has listed, hashed, begun or read it."""
    from orchestration.landing import load

    done = []

    def once(path: Path) -> None:
        if path.name == "b.jsonl" and not done:
            done.append(path)
            disturb(path)

    fetch, read_blocks = load.fetch, load.read_blocks

    def fetched(landing, file, spool):
        if moment == "listed":
            once(Path(landing) / file.path)
        path, content_hash = fetch(landing, file, spool)
        if moment == "hashed":
            once(path)
        return path, content_hash

    def blocks(path, *arguments):
        for block in read_blocks(path, *arguments):
            if moment == "begun":
                once(path)
            yield block
        if moment == "read":
            once(path)

    monkeypatch.setattr(load, "fetch", fetched)
    monkeypatch.setattr(load, "read_blocks", blocks)


def test_a_disk_error_in_one_file_leaves_it_for_later(settings, monkeypatch):
    from orchestration.landing import load

    for name in ("a", "b"):
        land(settings, f"{name}.jsonl", [event(name)])
    read_blocks = load.read_blocks

    def broken(path, *arguments):
        yield from read_blocks(path, *arguments)
        if path.name == "b.jsonl":
            raise OSError(5, "Input/output error")

    with monkeypatch.context() as disk:
        disk.setattr(load, "read_blocks", broken)
        found = load_new_files(settings)
    assert [row["external_request_id"] for row in rows(settings)] == ["a"]
    (sentence,) = found.unread
    assert sentence == (
        "landing/events/dt=2026-11-21/b.jsonl cannot be read now (Input/output error): look at its permissions and at the "
        "disk or store it is on. Nothing of it was loaded or refused; the next load tries again."
    )
    assert load_new_files(settings).rows_loaded == 1


@pytest.mark.skipif(
    os.geteuid() == 0, reason="The superuser may look into every folder: run this test as another user."
)
def test_a_folder_that_cannot_be_listed_is_named(settings):
    land(settings, "a.jsonl", [event("1")])
    closed = land(settings, "b.jsonl", [event("2")], day="2026-11-22").parent
    secret = land(settings, "c.jsonl", [event("3")])
    secret.chmod(0)
    closed.chmod(0)
    try:
        load = load_new_files(settings)
    finally:
        closed.chmod(0o700)
    assert load.rows_loaded == 1
    assert "landing/events/dt=2026-11-22 cannot be looked into (Permission denied)" in load.unread[0]
    assert "landing/events/dt=2026-11-21/c.jsonl cannot be read now (Permission denied)" in load.unread[1]
    secret.chmod(0o600)
    assert load_new_files(settings).rows_loaded == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="The superuser may read every file: run this test as another user.")
def test_a_manifest_that_cannot_be_read_is_named(settings):
    land(settings, "a.jsonl", [event("1")])
    path = settings.raw / "_loads" / f"{load_new_files(settings).load_id}.parquet"
    path.chmod(0)
    for attempt in (load_new_files, compact, files_with_missing_rows):
        with pytest.raises(LoadStopped, match=rf"{path} cannot be read \(Permission denied\): let this user read it"):
            attempt(settings)
    path.chmod(0o600)
    assert files_with_missing_rows(settings) == []


def test_no_landing_folder_is_a_sentence(settings):
    load = load_new_files(settings)
    assert load.unread == [
        f"{settings.landing} does not exist: create it, or set TOKENTRAIL_LANDING to where files land."
    ]
    assert files_with_missing_rows(settings) == []


@pytest.mark.parametrize("place", ["", "incidents"])
def test_a_file_where_a_folder_should_be_stops_no_other_source(settings, place):
    path = Path(settings.landing) / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a file")
    (sentence,) = load_new_files(settings, "incidents").unread
    assert "is a file where a folder should be: move it away" in sentence
    if place:
        land(settings, "a.jsonl", [event("1")])
        assert load_new_files(settings).rows_loaded == 1


@pytest.mark.parametrize("name", ["raw", "raw/_lock"])
def test_what_is_in_the_way_of_the_raw_zone_is_named(settings, name):
    land(settings, "a.jsonl", [event("1")])
    path = settings.data / name
    if name == "raw":
        path.write_text("a file")
    else:
        path.mkdir(parents=True)
    kind = "folder" if name == "raw" else "file"
    with pytest.raises(LoadStopped, match=rf"{path} is not a {kind}: move it away and run again"):
        load_new_files(settings)
    path.rmdir() if path.is_dir() else path.unlink()
    assert load_new_files(settings).rows_loaded == 1


def test_the_raw_zone_is_for_this_user_alone(settings):
    load_new_files(settings)
    assert settings.raw.stat().st_mode & 0o077 == 0


def without_a_column(content: bytes) -> bytes:
    """A manifest that does not say how many rows there were."""
    written = io.BytesIO()
    pq.write_table(pq.read_table(io.BytesIO(content)).drop_columns("rows_in"), written)
    return written.getvalue()


TORN = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "zeroed": lambda content: content[:8] + bytes(len(content) - 16) + content[-8:],
    "not parquet": lambda content: b"hello",
    "a page zeroed": lambda content: content[:4] + bytes(100) + content[104:],
    "without a column": without_a_column,
}


@pytest.mark.parametrize("how", TORN)
def test_a_torn_manifest_stops_loads_and_doubles_nothing(settings, how):
    land(settings, "a.jsonl", [event("1"), event("2")])
    load = load_new_files(settings)
    torn = settings.raw / "_loads" / f"{load.load_id}.parquet"
    whole = torn.read_bytes()
    torn.write_bytes(TORN[how](whole))
    land(settings, "b.jsonl", [event("3")])
    before = sorted(settings.raw.rglob("load=*"))
    for attempt in (load_new_files, compact, new_files, files_with_missing_rows):
        with pytest.raises(
            LoadStopped, match=rf"{torn} is damaged .*Restore it from a backup .*If there is none, delete it"
        ):
            attempt(settings)
    assert sorted(settings.raw.rglob("load=*")) == before
    torn.write_bytes(whole)
    assert load_new_files(settings).rows_loaded == 1
    torn.unlink()  # what the sentence advises where there is no backup
    assert load_new_files(settings).rows_loaded == 2
    assert sorted(row["external_request_id"] for row in rows(settings)) == ["1", "2", "3"]
    assert files_with_missing_rows(settings) == []


def test_a_torn_manifest_that_another_repeats_is_cleared_away(settings):
    for name in ("a", "b"):
        land(settings, f"{name}.jsonl", [event(name)])
        load_new_files(settings)
    first = min((settings.raw / "_loads").glob("2*"))
    from orchestration.landing import compaction

    with pytest.MonkeyPatch.context() as always:
        always.setattr(compaction, "MANIFESTS", 1)
        compact(settings)
    first.write_bytes(b"")
    land(settings, "c.jsonl", [event("c")])
    assert load_new_files(settings).rows_loaded == 1
    assert not first.exists()
    assert sorted(row["external_request_id"] for row in rows(settings)) == ["a", "b", "c"]


def test_manifests_that_cannot_be_listed_are_not_taken_for_none(settings, monkeypatch):
    land(settings, "a.jsonl", [event("1")])
    load_new_files(settings)
    listed = os.listdir

    def refused(path="."):
        if Path(path).name == "_loads":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    land(settings, "b.jsonl", [event("2")])
    with monkeypatch.context() as closed:
        closed.setattr(os, "listdir", refused)
        for attempt in (load_new_files, compact, new_files, files_with_missing_rows):
            with pytest.raises(LoadStopped, match=r"_loads cannot be listed \(Permission denied\)"):
                attempt(settings)
    assert load_new_files(settings).rows_loaded == 1
    assert len(rows(settings)) == 2


def test_torn_schemas_are_written_again(settings):
    land(settings, "a.jsonl", [event("1")])
    load_new_files(settings)
    for path in [*settings.raw.glob("_loads/0*"), *settings.raw.glob("_schema/*")]:
        path.write_bytes(b"")
    land(settings, "b.jsonl", [event("2")])
    assert load_new_files(settings).rows_loaded == 1
    assert len(rows(settings)) == 2


def test_a_missing_raw_file_is_named(settings):
    land(settings, "a.jsonl", [event("1")])
    load_new_files(settings)
    (raw_file,) = settings.raw.rglob("event_date=*/load=*")
    raw_file.unlink()
    with pytest.raises(LoadStopped, match=r"Counting the rows in .*No files found that match"):
        files_with_missing_rows(settings)


def test_trouble_with_one_object_stops_no_other(settings, monkeypatch):
    settings = replace(settings, landing_address=f"memory://bucket-{uuid4().hex}")
    store, root = fsspec.url_to_fs(settings.landing)
    for name in ("a", "broken", "c"):
        store.pipe(f"{root}/events/dt=2026-11-21/{name}.jsonl.gz", gzip.compress(jsonl([event(name)])))
    opened = MemoryFileSystem.open

    def busy(self, path, *arguments, **options):
        if "broken" in path:
            raise ValueError("SlowDown: please reduce your request rate")
        return opened(self, path, *arguments, **options)

    def refused(*_, **__):
        raise ValueError("InvalidAccessKeyId")

    with monkeypatch.context() as trouble:
        trouble.setattr(MemoryFileSystem, "open", busy)
        load = load_new_files(settings)
        trouble.setattr(MemoryFileSystem, "find", refused)
        with pytest.raises(LoadStopped, match=r"cannot be listed \(InvalidAccessKeyId\). Look at the object store"):
            load_new_files(settings)
    assert sorted(row["external_request_id"] for row in rows(settings)) == ["a", "c"]
    (sentence,) = load.unread
    assert sentence.startswith(
        "landing/events/dt=2026-11-21/broken.jsonl.gz cannot be read now (SlowDown: please reduce"
    )
    assert load_new_files(settings).rows_loaded == 1
