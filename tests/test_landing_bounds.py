"""Work and memory per landed byte and per line are bounded: small files that once cost gigabytes, seconds a line, or both."""

import gzip
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.landing.load import load_new_files
from orchestration.landing.manifests import files_with_missing_rows
from orchestration.landing.reloading import reload
from orchestration.settings import PROJECT
from tests.pipeline import event, pipeline_at
from tests.test_landing import jsonl, land, manifest, rejects, rows

# Loads each file in a process of its own; prints what it cost beyond an empty load: MB at the peak, and CPU seconds.
SCRIPT = """
import json, os, shutil, sys
from pathlib import Path
from orchestration.landing.load import load_new_files
from orchestration.settings import from_environment
base = None
for root, path in [(sys.argv[1], ""), *((sys.argv[1], path) for path in sys.argv[2:])]:
    data = Path(root) / (Path(path).name or "empty")
    folder = data / "landing" / "events" / "dt=2026-11-20"
    folder.mkdir(parents=True)
    if path:
        shutil.copy(path, folder)
    sys.stdout.flush()
    child = os.fork()
    if not child:
        load = load_new_files(from_environment({"TOKENTRAIL_DATA": str(data), "TOKENTRAIL_THREADS": "2"}))
        (data / "load.json").write_text(json.dumps(load.summary()))
        os._exit(0)
    usage = os.wait4(child, 0)[2]
    cost = (usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime)
    base = base or cost
    load = json.loads((data / "load.json").read_text())
    print(json.dumps([data.name, cost[0] - base[0], cost[1] - base[1], load]))
"""

REQUIRED = {
    "externalRequestId": "r",
    "occurredAt": "2026-11-20T10:00:00Z",
    "provider": "openai",
    "model": "gpt-4o",
    "status": "success",
}
# Our own neighbours of the files in shared/data/hostile.
MADE = {
    "newlines-150mb.jsonl.gz": lambda: gzip.compress(b"\n" * 150_000_000),
    "newlines.csv.gz": lambda: gzip.compress(b"externalRequestId,model\n" + b"\n" * 8_000_000),
    "short-rows.csv.gz": lambda: gzip.compress(b"externalRequestId,model\n" + b"a\n" * 500_000),
    "no-json-1m-lines.jsonl.gz": lambda: gzip.compress(b"x\n" * 1_000_000),
    "no-utf8-1m-lines.jsonl.gz": lambda: gzip.compress(b"\xff\n" * 1_000_000),
    "members.jsonl.gz": lambda: gzip.compress(b"") * 50_000,
    "deep-2000-lines.jsonl": lambda: many(2_000, "[" * 500 + "]" * 500),
    "digits-2000-lines.jsonl": lambda: many(2_000, "9" * 5_000, messages=1),
    "long-names.csv": lambda: b",".join(b"%d" % n + b"n" * 100_000 for n in range(5)) + b"\n" + b"1,2,3,4,5\n" * 20_000,
    "names.csv": lambda: b",".join(b"%d" % n + b"n" * 10_000 for n in range(5)) + b"\n" + b"1,2,3,4,5\n" * 20_000,
    "dictionary-in-list.parquet": lambda: parquet_of(pa.array([["x" * 1_000_000]] * 800)),
    "plain-zstd.parquet": lambda: parquet_of(pa.array(["x" * 1_000_000] * 800), use_dictionary=False),
}
MOST_MB = 450  # a batch of 64 MiB of text, as text, as rows and on its way to disk
MOST_SECONDS = 20  # about three times what the slowest takes on two slow cores


def many(lines: int, value: str, **fields) -> bytes:
    head = json.dumps(REQUIRED | fields)[:-1]
    return f'{head},"x":{value}}}\n'.encode() * lines


def parquet_of(column: pa.Array, **options) -> bytes:
    sink = pa.BufferOutputStream()
    constants = {name: pa.array([value] * len(column)) for name, value in REQUIRED.items()}
    pq.write_table(pa.table({**constants, "note": column}), sink, compression="zstd", **options)
    return sink.getvalue().to_pybytes()


@pytest.fixture(scope="module")
def cost(tmp_path_factory, shared_data) -> dict[str, tuple[float, float, dict]]:
    """By file: MB, CPU seconds and the load's summary."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, made in MADE.items():
        (folder / name).write_bytes(made())
    hostile = sorted(path for path in (shared_data / "hostile").iterdir() if path.suffix != ".md")
    files = [str(path) for path in [*hostile, *(folder / name for name in MADE)]]
    command = [sys.executable, "-c", SCRIPT, str(tmp_path_factory.mktemp("roots")), *files]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name: rest for name, *rest in map(json.loads, done.stdout.splitlines())}


def test_no_small_file_costs_much(cost):
    most = {name: (round(mb), round(seconds, 1)) for name, (mb, seconds, _) in cost.items()}
    assert {name: found for name, found in most.items() if found[0] > MOST_MB or found[1] > MOST_SECONDS} == {}


def test_each_hostile_file_ends_where_it_should(cost):
    loads = {name: load for name, (_, _, load) in cost.items()}
    assert all(load["rows_in"] == load["rows_loaded"] + load["rows_rejected"] for load in loads.values())
    ends = {name: (load["rows_loaded"], load["rejects_by_reason"]) for name, load in loads.items()}
    assert ends["deep-900-among-good.jsonl"] == (200, {"invalid_json": 1})
    assert ends["newlines-8mb.jsonl.gz"] == ends["members.jsonl.gz"] == (0, {"empty_file": 1})
    assert ends["newlines-150mb.jsonl.gz"] == (0, {"file_given_up": 1})
    assert ends["deep-2000-lines.jsonl"] == ends["digits-2000-lines.jsonl"] == (0, {"invalid_json": 2_000})
    for name in ("formula-tenants", "id-spellings", "markup-tenant", "names"):
        assert ends[f"{name}.jsonl"][1] == {}
    for name in (
        "braces-400k-lines.jsonl.gz",
        "no-json-1m-lines.jsonl.gz",
        "short-rows.csv.gz",
        "dictionary-800-rows.parquet",
    ):
        assert ends[name][1]["file_given_up"] == 1
    taken, refused = ends["dictionary-in-list.parquet"]
    assert 50 < taken <= 67  # of a million bytes each, in 64 MiB
    assert refused == {"file_given_up": 1}
    assert ends["plain-zstd.parquet"] == (0, {"file_given_up": 1})  # its footer tells
    assert ends["long-names.csv"] == (0, {"unreadable_file": 1})
    assert ends["names.csv"][1]["file_given_up"] == 1


@pytest.fixture
def settings(tmp_path: Path):
    return pipeline_at(tmp_path / "data", threads=2).settings


def test_what_is_given_up_says_how_much_was_left(settings, monkeypatch):
    monkeypatch.setattr("orchestration.landing.load.SHORT_ROWS", 300)
    monkeypatch.setattr("orchestration.landing.lines.BLOCK_LINES", 100)
    monkeypatch.setattr("orchestration.landing.lines.PIECE_BYTES", 300)
    land(settings, "a.jsonl", [event("1")])
    junk = land(settings, "junk.jsonl", b"{}\n" * 10_000 + jsonl([event("at the end")]))
    tight = replace(settings, give_up_rejects=150)
    load = load_new_files(tight)
    assert load.rejects_by_reason["file_given_up"] == 1
    (given_up,) = [row for row in rejects(settings) if row["reason_code"] == "file_given_up"]
    assert given_up["line_number"] == 0
    read = 13 * 101  # lines of three bytes in pieces of 300: three pieces a batch, and four batches on their way
    assert f"{read:,} of {read:,} lines read were refused, " in given_up["message"]
    assert f"; {10_001 - read:,} lines after line {read:,} were left unread. " in given_up["message"]
    assert given_up["message"].endswith("judge it again: make reload FILE=<it>.")
    assert files_with_missing_rows(settings) == []
    assert load_new_files(tight).load_id is None

    again = reload(settings, f"events/dt=2026-11-21/{junk.name}")
    assert (again.rows_loaded, again.rejects_by_reason) == (1, {"missing_field": 10_000})
    assert sorted(row["external_request_id"] for row in rows(settings)) == ["1", "at the end"]
    assert files_with_missing_rows(settings) == []


@pytest.mark.parametrize(("good", "is_given_up"), [(11, True), (12, False)])
def test_a_file_is_given_up_when_nearly_all_of_it_is_refused(settings, good, is_given_up):
    refused = [event(f"bad-{n}", status="nope") for n in range(101)]
    land(settings, "a.jsonl", [*refused, *(event(f"good-{n}") for n in range(good))])
    load = load_new_files(replace(settings, give_up_rejects=100))
    assert load.rows_loaded == good  # 101 of 112 are 0.902, 101 of 113 are 0.894
    assert load.rejects_by_reason == ({"bad_status": 100, "file_given_up": 1} if is_given_up else {"bad_status": 101})
    assert sum(row["rows_in"] for row in manifest(settings)) == load.rows_in


def test_a_full_hundred_levels_load_and_one_more_does_not(settings):
    def nested(levels: int) -> str:
        return json.dumps(event(f"deep-{levels}"))[:-1] + ',"x":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"

    in_text = event(
        "in text", note="[" * 300, metadata={"say": 'a "quoted" {{{' * 100, "json": json.dumps([[1]] * 200)}
    )
    inside = event("inside a text", metadata={"messages": 1, "x": "[" * 500 + "]" * 500})
    land(settings, "a.jsonl", [nested(100), nested(101), in_text, event("wide", x=[[1]] * 500), inside])
    load = load_new_files(settings)
    assert load.rejects_by_reason == {"invalid_json": 2}
    assert sorted(row["external_request_id"] for row in rows(settings)) == ["deep-100", "in text", "wide"]
    assert [row["line_number"] for row in rejects(settings)] == [2, 5]
    assert {row["message"].partition(": ")[2].partition(".")[0] for row in rejects(settings)} == {
        "rejected, invalid_json: it is nested too deeply to be read, in more than 100 levels"
    }


def test_a_line_that_ends_in_a_text_hides_no_deep_one_below_it(settings):
    inside = event("inside a text", note="]" * 600, metadata={"messages": 1, "x": "[" * 500 + "]" * 500})
    land(settings, "a.jsonl", ['{"note": "' + "x" * 300, inside, event("good")])
    assert load_new_files(settings).rows_loaded == 1
    not_json, too_deep = (row["message"] for row in rejects(settings))
    assert "it is not JSON" in not_json
    assert "it is nested too deeply" in too_deep


def test_prompts_in_a_column_are_not_read_at_all(settings):
    prompts = pa.array(["p" * 5_000_000] * 20)
    table = pa.table({**{name: [value] * 20 for name, value in REQUIRED.items()}, "prompt": prompts})
    path = land(settings, "a.parquet", b"")
    pq.write_table(table, path)
    assert load_new_files(settings).rows_loaded == 20
