"""Files of gateways and tracers: each sample gives the events that its provider billed, and nothing of a prompt is kept."""

import csv
import json
import re
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from io import StringIO
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from orchestration.commands.check_events import main as check_events
from orchestration.landing.expressions import MappingError
from orchestration.landing.fields import RAW_COLUMNS, snake_case
from orchestration.landing.load import load_new_files
from orchestration.landing.manifests import files_with_missing_rows, manifest_rows_sql
from orchestration.landing.mapping import read_mappings
from orchestration.settings import PROJECT, Settings
from tests.pipeline import pipeline_at

SAMPLES = PROJECT.parent / "shared" / "data" / "sources"
OWN_MAPPINGS = ("portkey", "cloudflare_ai_gateway")  # examples of docs/mappings, used as a team's own
# Landed where the format is, whoever wrote it.
LANDED_AS = {"claude_code/otel_logs": "otel", "openrouter/broadcast": "otel"}
NOT_COMPARED = {"metadata", "usage", "trace_id", "span_id", "parent_span_id", "event_date", "token_convention"}
OF_THE_ROW = {"content_hash", "line_number", "load_id", "source", "item", "emitter", "source_version"}
# A recorded payload says more than its sample lists, which leaves out its zeros.
SAID_BY_PAYLOAD = ("total_tokens", "service_tier")
NUMBERS = {column for column, kind in RAW_COLUMNS.items() if kind in ("INTEGER", "BIGINT", "DOUBLE")}
pytestmark = pytest.mark.skipif(not SAMPLES.exists(), reason="the samples are not next to the checkout")


def samples() -> list[str]:
    """Every sample with what is expected of it, as folder/name."""
    if not SAMPLES.exists():
        return []
    return [
        path.relative_to(SAMPLES).as_posix().removesuffix(".expected.jsonl")
        for path in sorted(SAMPLES.glob("*/*.expected.jsonl"))
    ]


def sample_file(name: str) -> Path:
    """The file of a sample, whatever its ending."""
    return next(
        path
        for path in (SAMPLES / name).parent.iterdir()
        if path.name.startswith(f"{Path(name).name}.") and ".expected." not in path.name
    )


def source_of(name: str) -> str:
    """The folder of landing that a sample belongs into."""
    return next((source for start, source in LANDED_AS.items() if name.startswith(start)), name.partition("/")[0])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data root whose team has the mappings of docs/mappings, and ignores what one sample asks for."""
    settings = pipeline_at(tmp_path / "data", threads=1).settings
    folder = settings.team / "mappings"
    folder.mkdir(parents=True)
    for name in OWN_MAPPINGS:
        (folder / f"{name}.yml").write_text((PROJECT / "docs" / "mappings" / f"{name}.yml").read_text())
    return settings


def land(settings: Settings, source: str, name: str, content: bytes, day: str = "2026-11-28") -> None:
    """Land a file."""
    path = Path(settings.landing) / source / f"dt={day}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def rows_of(settings: Settings, column: str) -> list[dict]:
    """The calls in all raw files, or the rows of all files of rejects."""
    with duckdb.connect() as database:
        named = f"select distinct {column} from {manifest_rows_sql(settings)} where {column} is not null"
        files = [str(settings.raw / name) for (name,) in database.execute(named).fetchall()]
        if not files:
            return []
        calls = "where status is not null" if column == "raw_file" else ""  # spans around calls have none
        found = database.execute(f"select * from read_parquet(?, union_by_name = true) {calls}", [files])
        names = [each[0] for each in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def expected_of(name: str) -> list[dict]:
    """What a right adapter makes of a sample."""
    return [json.loads(line) for line in (SAMPLES / f"{name}.expected.jsonl").read_text().splitlines() if line]


def place_of(one: dict) -> tuple[int, object]:
    """Where an expected event stands: line and span, or line and item."""
    return one["line"], one.get("span") or one.get("record", one.get("index", 0)) + 1


def comparable(row: dict) -> dict:
    """A raw row as an event of a sample says it: what is NULL is left out."""
    left_out = NOT_COMPARED | OF_THE_ROW
    return {name: value for name, value in row.items() if value is not None and name not in left_out}


def expected_row(event: dict) -> dict:
    """The raw columns of an expected event, with the defaults of the contract."""
    row: dict = {"environment": "prod", "data_mode": "real"}
    for name, value in event.items():
        column = {"costUsd": "reported_cost_usd"}.get(name, snake_case(name))
        if column in NOT_COMPARED:
            continue
        if column in NUMBERS:
            value = float(value) if column == "latency_ms" else int(value)
        if column == "reported_cost_usd":
            value = Decimal(value)
        if column in ("environment", "service_tier", "requested_service_tier"):
            value = value.lower()
        if column == "occurred_at":
            with duckdb.connect() as database:
                database.execute("set TimeZone = 'UTC'")
                value = database.execute("select cast(? as timestamptz)::timestamp", [value]).fetchone()[0]
        row[column] = value
    if row.get("service_tier") == "batch":
        row.pop("service_tier")
    return row


def compare(name: str, settings: Settings) -> list[str]:
    """Every difference between what a sample gave and what it should."""
    by_place: dict[tuple, dict] = {}
    for row in rows_of(settings, "raw_file"):
        key = row["span_id"] if row["span_id"] and source_of(name) == "otel" else row["item"]
        by_place[row["line_number"], key] = row
    rejected = {(row["line_number"], row["item"]) for row in rows_of(settings, "rejects_file")}
    different = []
    below_header = int(name.endswith(("blob_observations_legacy", "spend_logs_postgres")))  # records are numbered there
    events = [one | {"line": one["line"] + below_header} for one in expected_of(name) if "event" in one]
    for one in events:
        row = by_place.pop(place_of(one), None)
        if row is None:
            different.append(f"{place_of(one)}: no row")
            continue
        got, want = comparable(row), expected_row(one["event"])
        if (one["event"].get("tokenConvention") or "inclusive") != row["token_convention"]:
            different.append(f"{place_of(one)} token_convention: {row['token_convention']}")
        for column in sorted(got.keys() | want.keys()):
            a, b = got.get(column), want.get(column)
            if source_of(name) == "provider_raw" and b is None and (column in SAID_BY_PAYLOAD or a == 0):
                continue
            if a != b and not (isinstance(a, float) and isinstance(b, float) and abs(a - b) < 0.0011):
                if column == "provider_request_id" and b is None and a.startswith("sha256:"):
                    continue  # an id of 401 characters, which the sample leaves out and a hash stands for here
                different.append(f"{place_of(one)} {column}: {a!r}, expected {b!r}")
    different += [f"{place}: a row that is not expected, {row['model']}" for place, row in by_place.items()]
    wanted = {"event": len(events), "reject": 0, "skip": 0}
    for one in expected_of(name):
        if "event" not in one:
            wanted["reject" if "reject" in one else "skip"] += 1
    with duckdb.connect() as database:
        counts = database.execute(
            f"select sum(rows_loaded), sum(rows_rejected), sum(rows_skipped) from {manifest_rows_sql(settings)}"
        ).fetchone()
    if tuple(wanted.values()) != tuple(map(int, counts)):
        different.append(
            f"loaded, rejected, skipped {tuple(map(int, counts))}, expected {tuple(wanted.values())}; {rejected}"
        )
    return different


@pytest.mark.parametrize("name", samples())
def test_a_sample_gives_the_events_that_its_provider_billed(settings, name):
    file = sample_file(name)
    if name.endswith("openinference_two_instrumentations"):
        ignored = "lists: {ignore_scopes: [openinference.instrumentation.openai]}\n"
        (settings.team / "mappings" / "otel.yml").write_text(ignored)
    land(settings, source_of(name), file.name, file.read_bytes())
    load_new_files(settings, source_of(name))
    different = compare(name, settings)
    assert not different, "\n".join(different)
    assert files_with_missing_rows(settings, source_of(name)) == []


CARRIED = ("codex",)  # what a line means depends on lines before it
SPLIT = [name for name in samples() if sample_file(name).suffix == ".jsonl" and source_of(name) not in CARRIED]


@pytest.mark.parametrize(
    "name", [name for name in SPLIT if name.startswith(("litellm", "claude_code", "otel/vercel_ai_sdk_6"))]
)
def test_a_file_in_pieces_and_twice_gives_the_same_calls(settings, name):
    file, source = sample_file(name), source_of(name)
    lines = file.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(reversed(lines)):
        land(settings, source, f"{number}.ndjson", line)
    load = load_new_files(settings, source)
    wanted = sum("event" in one for one in expected_of(name))
    assert load.rows_loaded == wanted
    assert load.rows_in == load.rows_loaded + load.rows_rejected + load.rows_skipped
    land(settings, source, "again.jsonl", lines[0])
    assert load_new_files(settings, source).rows_in == 0  # the same bytes under another name


MARK = "SECRET-BODY-4711"


def marked(value):
    """A record with a mark in every text that may be a prompt or a completion."""
    if isinstance(value, dict):
        return {
            key: MARK if key in ("content", "text", "placeholder") and isinstance(item, str) else marked(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [marked(item) for item in value]
    return MARK if value in ("placeholder", "ok", "__REDACTED__") else value


def marked_csv(text: str) -> bytes:
    """A table whose columns of bodies, and two more of them, hold the mark; its last row has a column too many."""
    rows = list(csv.DictReader(StringIO(text)))
    for row in rows:
        row |= dict.fromkeys(
            ["input", "output", *row.keys() & {"request_body", "tool_calls", "tool_definitions"}], MARK
        )
    out = StringIO()
    table = csv.DictWriter(out, rows[0])
    table.writeheader()
    table.writerows(rows)
    return f"{out.getvalue()}{MARK}{',x' * len(rows[0])}\n".encode()


def marked_parquet(path: Path, file: Path) -> None:
    """The observations of a sample as an export in Parquet, with bodies; once more without what a call must have."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as database:
        rows = f"(select *, '{MARK}' as input, '{MARK}' as output from read_json('{file}'))"
        database.execute(
            f"copy (from {rows} union all select * replace (null as start_time) from {rows}) to '{path}' (format parquet)"
        )


def test_no_text_of_a_prompt_is_kept_anywhere(settings, capfd, caplog):
    caplog.set_level("DEBUG")
    observations = sample_file("langfuse/blob_observations_v2_1000")
    marked_parquet(Path(settings.landing) / "langfuse" / "dt=2026-11-28" / "export.parquet", observations)
    for name in samples():
        file = sample_file(name)
        if file.suffix == ".csv":
            land(settings, source_of(name), f"{name.replace('/', '-')}.csv", marked_csv(file.read_text()))
            continue
        texts = [file.read_text()] if file.suffix == ".json" else file.read_text().splitlines()
        lines = [json.dumps(marked(json.loads(text))) for text in texts if text.strip()]
        if source_of(name) == "otel":
            lines = [line.replace('"stringValue": "[{', f'"stringValue": "{MARK}[{{') for line in lines]
        lines += ['{"messages": [{"content": "' + MARK, '["' + MARK + '"]', f'{{"content": "{MARK}"}}']
        land(settings, source_of(name), f"{name.replace('/', '-')}.jsonl", "\n".join(lines).encode())
    for source in sorted({source_of(name) for name in samples()}):
        load_new_files(settings, source)
    for column in ("raw_file", "rejects_file"):
        found = rows_of(settings, column)
        assert found
        assert MARK not in json.dumps(found, default=str)
    with duckdb.connect() as database:
        every = database.execute(f"from read_parquet('{settings.raw}/*/*/*.parquet', union_by_name = true)").fetchall()
    assert MARK not in json.dumps(every, default=str)
    assert MARK.encode() not in b"".join(path.read_bytes() for path in settings.data.rglob("raw/_loads/*.parquet"))
    landing = Path(settings.landing)
    others = [path for path in settings.data.rglob("*") if path.is_file() and landing not in path.parents]
    assert [path for path in others if MARK.encode() in path.read_bytes()] == []
    formats = {row["landing_file"].rpartition(".")[2] for row in rows_of(settings, "rejects_file")}
    assert {"csv", "parquet", "jsonl"} <= formats  # of each format something was refused, and kept without its bodies
    assert MARK not in "".join([*capfd.readouterr(), caplog.text])
    looked_at = ["export.parquet", "helicone-export_cli.csv", "litellm-s3_batch_sdk.jsonl"]
    for path in (path for name in looked_at for path in landing.rglob(name)):  # as before a file lands
        check_events([str(path), "--source", path.relative_to(landing).parts[0]])
    assert MARK not in "".join([*capfd.readouterr(), caplog.text])


# Lines of these are read with others: spans, which the models join (test_source_traces), and sessions of Codex, where earlier
# lines say the model and the running total.
READ_TOGETHER = ("otel", "codex")


def test_a_file_that_is_split_at_any_line_gives_the_same_rows(settings):
    samples_of: dict[str, list[tuple[str, int]]] = {}
    for name in samples():
        file, source = sample_file(name), source_of(name)
        lines = file.read_bytes().splitlines(keepends=True)
        if file.suffix != ".jsonl" or source in READ_TOGETHER or len(lines) < 2:
            continue
        samples_of.setdefault(source, []).append((file.stem, len(lines)))
        land(settings, source, f"{file.stem}-whole.jsonl", b"".join(lines))
        for at in range(1, len(lines)):
            first, second = ("a", "b") if at % 2 else ("b", "a")  # either half may be read first
            land(settings, source, f"{file.stem}-{at}-{first}.jsonl", b"".join(lines[:at]))
            land(settings, source, f"{file.stem}-{at}-{second}.jsonl", b"".join(lines[at:]))
    assert len(samples_of) >= 6
    for source, sizes in samples_of.items():
        load_new_files(settings, source)
        found = by_file(settings, source)
        for stem, size in sizes:
            for at in range(1, size):
                halves = found[f"{stem}-{at}-a.jsonl"] + found[f"{stem}-{at}-b.jsonl"]
                assert halves == +found[f"{stem}-whole.jsonl"], (source, stem, at)


def by_file(settings: Settings, source: str) -> dict[str, Counter]:
    """By name of landed file: its rows, whatever their place in it, and how many of its records were refused and skipped."""
    with duckdb.connect() as database:
        manifests = database.execute(
            f"""
            select content_hash, landing_file, sum(rows_rejected)::int, sum(rows_skipped)::int
            from {manifest_rows_sql(settings)} where source = ? group by all
            """,
            [source],
        ).fetchall()
    names = {content: Path(file).name for content, file, *_ in manifests}
    found = {
        names[content]: Counter({"rejected": rejected, "skipped": skipped})
        for content, _, rejected, skipped in manifests
    }
    for row in rows_of(settings, "raw_file"):
        if row["source"] == source:
            found[names[row["content_hash"]]][str(comparable(row))] += 1
    return found


def test_ids_of_spans_around_calls_are_hashed_like_those_of_calls(settings):
    secret = replace(settings, id_secret="a secret of at least sixteen characters")
    land(secret, "otel", "traces.jsonl", sample_file("otel/openinference").read_bytes())
    load_new_files(secret, "otel")
    with duckdb.connect() as database:
        raw = f"read_parquet('{settings.raw}/otel/*/*.parquet')"
        kinds = database.execute(f"select distinct status is null, tenant_id from {raw} where tenant_id is not null")
        found = kinds.fetchall()
    assert {around for around, _ in found} == {True, False}
    assert len({tenant for _, tenant in found}) == 1
    assert "acme" not in {tenant for _, tenant in found}


def test_a_changed_mapping_reads_the_landed_files_of_its_source_again(settings):
    for name in ("litellm/s3_batch_sdk", "helicone/request_query"):
        land(settings, source_of(name), sample_file(name).name, sample_file(name).read_bytes())
        load_new_files(settings, source_of(name))
    assert {row["tenant_id"] for row in rows_of(settings, "raw_file") if row["source"] == "litellm"} == {"team-acme"}
    before = len(rows_of(settings, "raw_file"))
    (settings.team / "mappings" / "litellm.yml").write_text(
        "fields:\n  tenantId: coalesce($.end_user, 'nobody')\n  userId: null\n"
    )
    load = load_new_files(settings, "litellm")
    assert (load.files, load_new_files(settings, "helicone").files) == (1, 0)
    rows = [row for row in rows_of(settings, "raw_file") if row["source"] == "litellm"]
    assert len(rows_of(settings, "raw_file")) == before
    assert "team-acme" not in {row["tenant_id"] for row in rows}
    assert {row["user_id"] for row in rows} == {None}
    assert files_with_missing_rows(settings, "litellm") == []
    assert load_new_files(settings, "litellm").files == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "fields:\n  tenantID: $.x\n",
            "mappings/litellm.yml line 2: tenantID is not known here: did you mean tenantId?",
        ),
        ("fields:\n  tenantId: lower($.a\n", "mappings/litellm.yml line 2: tenantId cannot be read: "),
        ("let:\n  a: '{b}'\n  b: '{a}'\n", "mappings/litellm.yml line 2: a leads back to itself by way of a, b"),
        ("fields:\n  tenantId: '{nothing}'\n", "line 2: tenantId uses {nothing}, which there is not"),
        ("fields:\n  tenantId: no_such($.a)\n", "line 2: tenantId cannot be computed: "),
        ("fields:\n  tenantId: (select 1)\n", "reads its record alone, and this one has a subquery"),
        ("keep: [$.messages]\n", "line 1: messages holds prompts or completions, which are never kept: leave it out."),
        ("fields: [\n", "mappings/litellm.yml line 2: it is not YAML"),
    ],
)
def test_a_mistake_in_a_mapping_is_a_sentence_with_its_line(settings, text, sentence):
    (settings.team / "mappings" / "litellm.yml").write_text(text)
    with pytest.raises(MappingError, match=re.escape(sentence)):
        read_mappings(settings.team)


def test_documents_and_packed_files_are_read(settings):
    record = json.loads(sample_file("litellm/s3_one_object").read_text())
    records = [record | {"id": f"chatcmpl-{number}", "litellm_call_id": f"call-{number}"} for number in range(6)]
    land(settings, "litellm", "object.json", json.dumps(records[0], indent=2).encode())
    land(settings, "litellm", "array.json", json.dumps(records[1:3], indent=2).encode())
    land(settings, "litellm", "packed.ndjson.zst", pa.compress(json.dumps(records[3]).encode(), "zstd", asbytes=True))
    frame = pa.compress(json.dumps(records[4]).encode(), "zstd", asbytes=True)
    land(settings, "litellm", "collector.json.zst", len(frame).to_bytes(4, "big") + frame)
    plain = Path(settings.landing) / "litellm" / "2026-11-27" / "09"
    plain.mkdir(parents=True)
    (plain / "chatcmpl-without-an-ending").write_bytes(json.dumps(records[5]).encode())
    load = load_new_files(settings, "litellm")
    assert (load.rows_loaded, load.rows_rejected) == (6, 0), load
    rows = {row["external_request_id"]: (row["line_number"], row["item"]) for row in rows_of(settings, "raw_file")}
    assert rows == {f"call-{number}": (1, 2 if number == 2 else 1) for number in range(6)}
    with duckdb.connect() as database:
        days = database.execute(f"select distinct arrival_date::varchar from {manifest_rows_sql(settings)}").fetchall()
    assert sorted(days) == [("2026-11-27",), ("2026-11-28",)]
