"""Files appear whole or not at all, and a lock is waited for a bounded time and names its holder."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestration.publishing.publications import _link_files
from orchestration.settings import PROJECT
from orchestration.storage import LockHeldError, held, hold_for_life, is_held, point_link, write_whole, written_whole

HOLDER = """
import sys, time
from pathlib import Path
from orchestration.storage import held, hold_for_life
path = Path(sys.argv[2])
if sys.argv[1] == "life":
    hold_for_life(path)
    print("held", flush=True)
    time.sleep(60)
with held(path, 0):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder():
    """Starts a process that holds a lock, `held` or for its life; it is killed at the end."""
    processes = []

    def start(how: str, path) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, how, str(path)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_file_is_the_old_one_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "deep" / "report.json"
    write_whole(path, "old")
    with pytest.raises(FileExistsError), written_whole(path) as partial:
        partial.write_text("half") and partial.mkdir()
    assert path.read_text() == "old"
    write_whole(path, b"new")
    assert path.read_text() == "new"
    assert [each.name for each in path.parent.iterdir()] == ["report.json"]


def test_a_link_is_switched_over_what_a_kill_left(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / ".current.partial").symlink_to("nowhere")
        point_link(tmp_path / "current", name)
        assert os.readlink(tmp_path / "current") == name
    assert not (tmp_path / ".current.partial").is_symlink()


def test_who_waits_for_a_lock_waits_as_long_as_it_says_and_learns_who_holds_it(tmp_path, holder):
    process, began = holder("held", tmp_path / "_lock"), time.monotonic()
    with pytest.raises(LockHeldError, match=rf"_lock is held by process {process.pid} on .*Wait until it ends"):
        held(tmp_path / "_lock", 0.3).__enter__()
    assert 0.3 <= time.monotonic() - began < 20


def test_a_lock_is_free_as_soon_as_its_holder_is_killed(tmp_path, holder):
    path = tmp_path / "_lock"
    process = holder("held", path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with held(path, 0):
        assert f"process {os.getpid()} on" in path.read_text()
    assert path.read_text() == ""


def test_one_process_cannot_hold_a_lock_twice(tmp_path):
    with (
        held(tmp_path / "_lock", 0),
        pytest.raises(LockHeldError, match=rf"process {os.getpid()}"),
        held(tmp_path / "_lock", 0),
    ):
        pass


def test_a_lock_holds_on_a_disk_that_takes_no_word(tmp_path, monkeypatch):
    path = tmp_path / "_lock"
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with (
            held(path, 0),
            pytest.raises(LockHeldError, match="held by a process that has just started"),
            held(path, 0),
        ):
            pass


def test_a_life_is_seen_by_others_until_it_ends(tmp_path, holder):
    path = tmp_path / "runs" / "run"
    with pytest.raises(FileNotFoundError):
        is_held(path)
    process = holder("life", path)
    assert is_held(path)
    process.kill()
    process.wait()
    assert not is_held(path)
    hold_for_life(path)
    assert is_held(path)


def test_a_folder_that_cannot_be_listed_stops_a_publication(tmp_path, monkeypatch):
    former, folder = tmp_path / "former", tmp_path / "new"
    (former / "exports").mkdir(parents=True)
    (former / "exports" / "one.csv").write_text("1\n")
    folder.mkdir()
    listed = os.scandir

    def fails(path):
        if Path(path).name == "exports":
            raise OSError(errno.EIO, "Input/output error")
        return listed(path)

    monkeypatch.setattr(os, "scandir", fails)
    with pytest.raises(OSError, match="Input/output error"):
        _link_files(former, folder)
