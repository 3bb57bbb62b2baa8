"""The landing loader under crash, contention and compaction, and what must never be written: bodies and plain ids."""

import gzip
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.landing.compaction import compact
from orchestration.landing.convert import merge
from orchestration.landing.database import open_memory
from orchestration.landing.fields import snake_case
from orchestration.landing.load import load_new_files
from orchestration.landing.manifests import files_with_missing_rows, manifest_files, utc_now
from orchestration.landing.raw_zone import LoadInProgress, one_loader
from orchestration.landing.trouble import LoadStopped
from orchestration.landing.waiting import new_files
from tests.pipeline import event, pipeline_at
from tests.test_landing import csv_text, land, manifest, rejects, rows

SECRET = "correct horse battery staple"
MARK = "the-words-of-the-user"


@pytest.fixture
def settings(tmp_path: Path):
    return pipeline_at(tmp_path / "data", threads=2).settings


def digest(text: str) -> str:
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


def written(settings) -> bytes:
    """Every value of every Parquet file under raw, and the raw bytes of the others."""
    parts = []
    for path in sorted(settings.raw.rglob("*")):
        if path.suffix == ".parquet":
            with pq.ParquetFile(path) as file:
                parts.append(str(file.read().to_pylist()).encode())
        elif path.is_file():
            parts.append(path.read_bytes())
    return b"\n".join(parts)


def without_load(found: list[dict]) -> list[dict]:
    return [{key: value for key, value in row.items() if key not in ("load_id", "message")} for row in found]


def test_ids_are_replaced_by_their_hmac(settings):
    settings = replace(settings, id_secret=SECRET)
    nested = {"tenantId": " acme ", "userId": 42, "deep": [{"user_id": "u-9"}], "team": "search"}
    billed = {"billingAccountId": "org-1", "subAccountId": "proj-1", "apiKeyId": "key-1", "traceId": "t-1"}
    events = [event("1", userId=" u-1 ", **billed), event("2", tenantId=None, userId="ü", metadata=nested)]
    refused = [event("3", tenantId="acme", metadata={"userId": "u-1"}, outputTokens=-1), '{"userId": "u-1", "bro']
    land(settings, "a.jsonl", [*events, *refused])
    wide = csv_text([event("4")]) + b"a,b\n"
    land(settings, "b.csv", wide.replace(b"acme", b"acme-csv"))
    load_new_files(settings)
    found = {row["external_request_id"]: row for row in rows(settings)}
    assert (found["1"]["tenant_id"], found["1"]["user_id"]) == (digest("acme"), digest("u-1"))
    assert (found["2"]["tenant_id"], found["2"]["user_id"]) == (digest("acme"), digest("ü"))
    assert found["4"]["tenant_id"] == digest("acme-csv")
    stored = [found["1"][snake_case(name)] for name in billed]
    assert stored == ["org-1", "proj-1", digest("key-1"), "t-1"]  # an invoice names accounts as they are
    assert json.loads(found["2"]["metadata"]) == {
        "tenantId": digest("acme"),
        "userId": digest("42"),
        "deep": [{"user_id": digest("u-9")}],
        "team": "search",
    }
    broken, negative, short = sorted(rejects(settings), key=lambda row: row["reason_code"])
    kept = json.loads(negative["line"])
    assert (kept["tenantId"], kept["metadata"]) == (digest("acme"), {"userId": digest("u-1")})
    assert broken["line"] == short["line"] == "[withheld: ids in a line that cannot be read cannot be hashed]"
    everything = written(settings)
    for plain in (SECRET, "acme", "u-1'", '"u-1"', "ü", "u-9", "key-1"):
        assert plain.encode() not in everything


PLAIN = "plain-id"
SPELLINGS = [
    *("tenantID", "TenantId", "tenant_id", "TENANT-ID", "tenant id", "tenant", "USERID", "user", "User", " userId "),
    *("user-id", "user.id", "user_uuid", "end_user", "enduser.id", "endUserId", "x-user-id", "userName", "user_email"),
    *("customer", "customerId", "customer_name", "account_id", "orgId", "organization", "uid", "email", "userIds"),
    *("api_key", "API-KEY", "apiKeyID", "x-api-key-id", "api key name", "apikeys", "billing account id"),
]
OTHERS = ["team", "user_agent", "userCount", "accounting", "organic", "mailbox", "cost_center", "fluid", "key_id"]


@pytest.mark.parametrize("key", SPELLINGS)
def test_an_id_is_hashed_however_its_name_is_spelled(settings, key):
    settings = replace(settings, id_secret=SECRET)
    inside = json.dumps({"a": [{key: PLAIN}]})
    everywhere = {
        key: PLAIN,
        "metadata": {key: [PLAIN, f" {PLAIN}\u00a0"], "deep": [{"deeper": {key: {"id": PLAIN}}}], "kept": " " + inside},
        "priceContext": {key: PLAIN, "speed": "fast"},
        "note": json.dumps(inside),
    }
    numbers = {"metadata": {key: 987654321, "more": {key: [987654321]}}}
    events = [event("1", **everywhere), event("2", **numbers), event("3", **numbers, usage={key: 987654321})]
    land(settings, "a.jsonl", [*events, event("4", **everywhere, outputTokens=-1)])
    land(settings, "many.jsonl", [event("5", **everywhere, **{f"generated-{n}": n for n in range(150)})])
    land(settings, "b.csv", csv_text([event("6", **everywhere)]))
    load = load_new_files(settings)
    assert load.rejects_by_reason == {"bad_value": 1, "negative_tokens": 1}
    everything = written(settings)
    assert PLAIN.encode() not in everything
    assert b"987654321" not in everything
    metadata = {row["external_request_id"]: json.loads(row["metadata"]) for row in rows(settings)}
    assert metadata["1"][key] == [digest(PLAIN), digest(PLAIN)]
    assert json.loads(metadata["1"]["kept"]) == {"a": [{key: digest(PLAIN)}]}
    assert metadata["2"][key] == digest("987654321")
    contexts = {row["price_context"] for row in rows(settings) if row["external_request_id"] == "1"}
    assert contexts == {
        json.dumps(dict(sorted({key.strip().lower(): digest(PLAIN), "speed": "fast"}.items())), separators=(",", ":"))
    }


def test_what_names_nobody_stays_as_it_is(settings):
    land(settings, "a.jsonl", [event("1", metadata=dict.fromkeys(OTHERS, PLAIN), user="u")])
    load_new_files(replace(settings, id_secret=SECRET))
    (row,) = rows(settings)
    assert json.loads(row["metadata"]) == dict.fromkeys(OTHERS, PLAIN) | {"user": digest("u")}


def test_no_plain_id_is_left_of_any_spelling_that_was_found(settings, shared_data):
    settings = replace(settings, id_secret=SECRET)
    land(settings, "ids.jsonl", (shared_data / "hostile" / "id-spellings.jsonl").read_bytes())
    assert load_new_files(settings).rows_loaded > 0
    assert b"plain-id" not in written(settings)


@pytest.mark.parametrize("secret", ["k", "x" * 64, "y" * 65, "schlüssel"])
def test_the_hmac_is_the_standard_one(settings, secret):
    land(settings, "a.jsonl", [event("1", tenantId="t" * 200)])
    load_new_files(replace(settings, id_secret=secret))
    expected = hmac.new(secret.encode(), b"t" * 200, hashlib.sha256).hexdigest()
    assert [row["tenant_id"] for row in rows(settings)] == [expected]


BODIES = {
    "messages": [{"role": "user", "content": MARK}],
    "Prompt": MARK,
    "systemPrompt": MARK,
    "response_body": {"a": MARK},
    "gen_ai.input.messages": [MARK],
    "gen_ai.prompt.0.content": MARK,
    "llm.output_messages": MARK,
    "tools": [MARK],
    "text": MARK,
}


@pytest.mark.parametrize("bodies", [BODIES, {f"gen_ai.prompt.{n}.content": MARK for n in range(200)}])
def test_bodies_are_dropped_wherever_they_stand(settings, bodies):
    kept = {"gen_ai.usage.input_tokens": 7, "promptName": "greeting"}
    deep = {"span": {"inner": [bodies | {"n": 1}]}, "as_text": json.dumps(bodies), **bodies}
    everywhere = bodies | kept | {"metadata": deep | {"team": "search"}}
    cut = json.dumps(event("cut", **bodies))[:-30]
    land(settings, "a.jsonl", [event("1", **everywhere), event("2", metadata=json.dumps(deep)), event("3", **bodies)])
    land(settings, "bad.jsonl", [event("4", status="nope", **everywhere), cut, json.dumps([bodies])])
    land(settings, "long.jsonl", [json.dumps(event("5", prompt=MARK * 300_000))])
    columns = csv_text([event("6", prompt="hi")]) + f"{MARK},x\n".encode()
    land(settings, "c.csv", columns)
    land(settings, "d.csv.gz", gzip.compress(csv_text([event("7", prompt=MARK, metadata=deep)])))
    load = load_new_files(settings)
    assert load.rejects_by_reason == {
        "bad_status": 1,
        "invalid_json": 1,
        "line_too_long": 1,
        "not_an_object": 1,
        "wrong_column_count": 1,
    }
    assert MARK.encode() not in written(settings)
    metadata = {row["external_request_id"]: row["metadata"] for row in rows(settings)}
    assert json.loads(metadata["1"]) == kept | {"span": {"inner": [{"n": 1}]}, "as_text": "{}", "team": "search"}
    assert metadata["3"] is None
    assert json.loads(metadata["2"]) == json.loads(metadata["7"]) == {"span": {"inner": [{"n": 1}]}, "as_text": "{}"}
    lines = {row["reason_code"]: row["line"] for row in rejects(settings)}
    assert lines["invalid_json"].endswith(" [body dropped]")
    assert "cut" in lines["invalid_json"]
    assert lines["wrong_column_count"] == "[withheld: the file has a column of prompts or completions]"


def test_a_second_loader_learns_who_is_at_work(settings):
    with (
        one_loader(settings),
        pytest.raises(LoadInProgress, match=rf"another load is running, by process {os.getpid()} on"),
    ):
        load_new_files(settings)
    assert load_new_files(settings).load_id is None


def test_a_killed_load_leaves_nothing_and_the_next_is_whole(settings, tmp_path):
    undisturbed = pipeline_at(tmp_path / "other", threads=2).settings
    for number in range(30):
        events = [event(f"{number}-{n}", f"2026-11-{1 + n % 20:02d}T10:00:00Z") for n in range(300)]
        for root in (settings, undisturbed):
            land(root, f"{number:02d}.jsonl", [*events, event("bad", status=str(number))])
    load_new_files(undisturbed)
    script = "\n".join(
        (
            "import sys; from pathlib import Path; from orchestration.landing import load",
            "from tests.pipeline import pipeline_at",
            "load.BATCH_BYTES = 200_000  # many small batches: the kill falls among them",
            "load.load_new_files(pipeline_at(Path(sys.argv[1]), threads=2).settings)",
        )
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(settings.data)], cwd=Path(__file__).parents[1])
    while child.poll() is None and len(list(settings.raw.glob("events/*/*.parquet"))) < 20:
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert list(settings.raw.glob("events/*/*.parquet"))
    assert len(manifest_files(settings)) == 1
    assert manifest(settings) == []
    load = load_new_files(settings)
    assert (load.rows_loaded, load.rows_rejected) == (9_000, 30)
    assert without_load(rows(settings)) == without_load(rows(undisturbed))
    assert without_load(rejects(settings)) == without_load(rejects(undisturbed))
    named = {row["raw_file"] for row in manifest(settings) if row["raw_file"]}
    assert {path.relative_to(settings.raw).as_posix() for path in settings.raw.glob("events/*/*")} == named


@pytest.mark.parametrize("step", ["_convert_all", "_settle", "_manifest_rows"])
def test_an_error_at_any_step_publishes_nothing(settings, monkeypatch, step):
    land(settings, "a.jsonl", [event("1"), event("2", status="x")])
    with monkeypatch.context() as broken:
        broken.setattr(
            f"orchestration.landing.load.Loader.{step}", lambda *_: (_ for _ in ()).throw(OSError("disk full"))
        )
        with pytest.raises(LoadStopped, match=r"Loading events stopped \(OSError: disk full.*run again"):
            load_new_files(settings)
    assert manifest(settings) == []
    load = load_new_files(settings)
    assert (load.rows_loaded, load.rows_rejected) == (1, 1)
    assert len(list(settings.raw.glob("_rejects/*.parquet"))) == 1


def test_compaction_changes_no_row(settings, monkeypatch):
    for number in range(10):
        days = ("2026-11-18", "2026-11-19", "2026-11-23")
        land(settings, f"{number}.jsonl", [event(f"{number}-{day}", f"{day}T10:00:00Z") for day in days])
        with monkeypatch.context() as still:
            still.setattr("orchestration.landing.load.compact_held", lambda *_: None)
            load_new_files(settings)
    before, listed = rows(settings), manifest(settings)
    assert len(manifest_files(settings)) == 11
    assert compact(settings) == {"dates": 2, "files": 20, "manifests": 10}
    assert rows(settings) == before
    after = manifest(settings)
    same = [{k: v for k, v in row.items() if k not in ("load_id", "raw_file", "supersedes")} for row in after]
    assert same == [{k: v for k, v in row.items() if k not in ("load_id", "raw_file", "supersedes")} for row in listed]
    assert len({row["raw_file"] for row in after if row["event_date"].day < 20}) == 2
    assert len({row["raw_file"] for row in after if row["event_date"].day == 23}) == 10
    assert len(manifest_files(settings)) == 2
    assert files_with_missing_rows(settings) == []
    assert new_files(settings) == []

    assert len(list(settings.raw.rglob("event_date=2026-11-18/*"))) == 11  # readers that listed them may be at work
    assert compact(settings) == {"dates": 0, "files": 0, "manifests": 0}
    tomorrow = utc_now() + timedelta(days=1, minutes=1)
    monkeypatch.setattr("orchestration.landing.raw_zone.utc_now", lambda: tomorrow)
    land(settings, "late.jsonl", [event("late", "2026-11-18T10:00:00Z")])
    assert load_new_files(settings).rows_loaded == 1
    assert len(list(settings.raw.rglob("event_date=2026-11-18/*"))) == 2
    assert len(list((settings.raw / "_loads").iterdir())) == 3
    assert [row for row in rows(settings) if row["external_request_id"] != "late"] == before


def test_a_merged_file_has_every_column_of_its_parts(settings, tmp_path):
    earlier, later = tmp_path / "earlier.parquet", tmp_path / "later.parquet"
    pq.write_table(pa.table({"line_number": [1]}), earlier)  # by a release that did not know the other column yet
    pq.write_table(pa.table({"line_number": [2], "reasoning_tokens": [7]}), later)
    with open_memory(settings) as database:
        merge(database, [earlier, later], tmp_path / "merged.parquet")
    merged = pq.read_table(tmp_path / "merged.parquet").to_pylist()
    assert merged == [{"line_number": 1, "reasoning_tokens": None}, {"line_number": 2, "reasoning_tokens": 7}]


def test_compaction_happens_by_itself(settings):
    for number in range(12):
        land(settings, f"{number}.jsonl", [event(str(number))])
        load_new_files(settings)
    assert len({row["raw_file"] for row in manifest(settings)}) < 9
    assert len(rows(settings)) == 12


def test_a_crashed_compaction_is_forgotten(settings, monkeypatch):
    for number in range(9):
        land(settings, f"{number}.jsonl", [event(str(number))])
        with monkeypatch.context() as still:
            still.setattr("orchestration.landing.load.compact_held", lambda *_: None)
            load_new_files(settings)
    before = rows(settings)
    with monkeypatch.context() as broken:
        broken.setattr(
            "orchestration.landing.compaction.fold_manifests", lambda *_: (_ for _ in ()).throw(OSError("full"))
        )
        with pytest.raises(LoadStopped, match=r"Compacting events stopped \(OSError: full"):
            compact(settings)
    assert rows(settings) == before
    assert compact(settings) == {"dates": 1, "files": 9, "manifests": 9}
    assert rows(settings) == before
    assert len(list(settings.raw.rglob("event_date=2026-11-20/*"))) == 10
