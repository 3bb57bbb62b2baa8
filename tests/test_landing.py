"""The landing loader: every format, every reason, every line once. Faults cost the line they are in."""

import csv
import gzip
import io
import json
from dataclasses import replace
from datetime import UTC, date
from datetime import datetime as aware
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import duckdb
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from orchestration.landing.fields import RAW_COLUMNS, TOKENS, snake_case
from orchestration.landing.load import load_new_files
from orchestration.landing.manifests import files_with_missing_rows, manifest_files, manifest_rows_sql
from orchestration.landing.usage import TEXT_COUNTS, reread, usage_json
from orchestration.landing.waiting import new_files
from orchestration.settings import Settings
from tests.pipeline import event, pipeline_at

FULL = event(
    "r-full",
    "2026-11-20T23:30:00.123456-02:00",
    providerRequestId="p-1",
    attempt=2,
    errorCode="",
    httpStatus=200,
    environment=" Staging ",
    dataMode="test",
    usageSource="provider",
    processing="batch",
    serviceTier="default",
    requestedServiceTier="flex",
    region="eu",
    billingAccountId="org-acme",
    subAccountId="proj-search",
    apiKeyId="key_7",
    traceId="4bf92f3577b34da6a3ce929d0e0e4736",
    spanId="00f067aa0ba902b7",
    parentSpanId="b7ad6b7169203331",
    priceContext={"speed": "fast", "a": "b", "none": None},
    inputTokens=100,
    outputTokens=50.0,
    totalTokens=150,
    cacheReadTokens=20,
    cacheWriteTokens=10,
    cacheWrite1hTokens=4,
    reasoningTokens=5,
    webSearches=1,
    usage={"output_citation_tokens": 3, "audio_seconds": 1.5},
    latencyMs=12.5,
    costUsd=0.0001107,
    metadata={"team": "search"},
    traceName="t",
)


def datetime(*parts: int) -> aware:
    """An instant as the raw zone has it: UTC, without saying so."""
    return aware(*parts, tzinfo=UTC).replace(tzinfo=None)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return pipeline_at(tmp_path / "data", threads=2).settings


def land(settings: Settings, name: str, content, day: str = "2026-11-21") -> Path:
    path = Path(settings.landing) / "events" / f"dt={day}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else jsonl(content))
    return path


def jsonl(events) -> bytes:
    return "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in events).encode()


def csv_text(events: list[dict], names=None, rename=lambda name: name) -> bytes:
    names = names or list(dict.fromkeys(name for event in events for name in event))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([rename(name) for name in names])
    for row in events:
        values = (row.get(name) for name in names)
        writer.writerow([json.dumps(value) if isinstance(value, dict) else value for value in values])
    return out.getvalue().encode()


def parquet(events: list[dict], rename=lambda name: name) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([{rename(key): value for key, value in row.items()} for row in events]), out)
    return out.getvalue()


def rows(settings: Settings, select: str = "*") -> list[dict]:
    """Raw rows as dicts, from the files the manifests name, with event_date from the path."""
    return _dicts(settings, "raw_file", f"{select}, event_date", ", hive_partitioning = true")


def rejects(settings: Settings) -> list[dict]:
    return _dicts(settings, "rejects_file", "*", "")


def _dicts(settings: Settings, column: str, select: str, options: str) -> list[dict]:
    with duckdb.connect() as database:
        files = database.sql(
            f"select distinct {column} from {manifest_rows_sql(settings)} where {column} is not null order by 1"
        ).fetchall()
        if not files:
            return []
        listed = [str(settings.raw / file) for (file,) in files]
        return (
            database.execute(
                f"select {select} from read_parquet($files, union_by_name = true{options}) "
                "order by content_hash, line_number",
                {"files": listed},
            )
            .to_arrow_table()
            .to_pylist()
        )


def manifest(settings: Settings) -> list[dict]:
    with duckdb.connect() as database:
        table = database.sql(f"from {manifest_rows_sql(settings)} order by landing_file, event_date").to_arrow_table()
        return table.to_pylist(maps_as_pydicts="strict")


FORMATS = {
    "a.jsonl": jsonl([FULL]),
    "a.jsonl.gz": gzip.compress(jsonl([FULL])),
    "a.csv": csv_text([FULL]),
    "snake.csv.gz": gzip.compress(csv_text([FULL], rename=snake_case)),
    "a.parquet": parquet([FULL]),
    "snake.parquet": parquet([FULL], rename=snake_case),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_row(settings, name):
    land(settings, name, FORMATS[name])
    load = load_new_files(settings)
    assert (load.rows_in, load.rows_loaded, load.event_dates) == (1, 1, [date(2026, 11, 21)])
    (row,) = rows(settings)
    metadata = json.loads(row.pop("metadata"))
    assert metadata in ({"team": "search", "traceName": "t"}, {"team": "search", "trace_name": "t"})
    assert list(row) == [column for column in RAW_COLUMNS if column != "metadata"] + ["event_date"]
    assert row.pop("content_hash")
    assert row.pop("load_id") == load.load_id
    counts = {"input": 100, "output": 50, "total": 150, "cache_read": 20, "cache_write": 10, "cache_write_1h": 4}
    counts |= {"reasoning": 5}
    assert {name: value for name, value in row.items() if value is not None} == {
        "external_request_id": "r-full",
        "provider_request_id": "p-1",
        "attempt": 2,
        "provider": "anthropic",
        "model": "claude-sonnet-4-5",
        "status": "success",
        "http_status": 200,
        "endpoint_tag": "chat.reply",
        "prompt_version": "v1",
        "tenant_id": "acme",
        "user_id": "u-1",
        "environment": "staging",
        "data_mode": "test",
        "usage_source": "provider",
        "processing": "batch",
        "service_tier": "default",
        "requested_service_tier": "flex",
        "region": "eu",
        "price_context": '{"a":"b","speed":"fast"}',
        "token_convention": "inclusive",
        "billing_account_id": "org-acme",
        "sub_account_id": "proj-search",
        "api_key_id": "key_7",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id": "00f067aa0ba902b7",
        "parent_span_id": "b7ad6b7169203331",
        **{f"{name}_tokens": count for name, count in counts.items()},
        "web_searches": 1,
        "usage": '{"audio_seconds":1.5,"output_citation_tokens":3}',
        "latency_ms": 12.5,
        "reported_cost_usd": Decimal("0.000110700000"),
        "line_number": {".csv": 2}.get(name[name.index(".") :].removesuffix(".gz"), 1),
        "occurred_at": datetime(2026, 11, 21, 1, 30, 0, 123456),
        "event_date": date(2026, 11, 21),
        "source": "events",
        "item": 1,
    }


def test_a_bare_event_has_defaults_and_nulls(settings):
    bare = {key: FULL[key] for key in ("externalRequestId", "provider", "model", "status")}
    land(settings, "a.jsonl", [bare | {"createdAt": "2026-11-20 10:00:00"}])
    load_new_files(settings)
    (row,) = rows(settings)
    kept = {key: value for key, value in row.items() if value is not None}
    assert (kept["environment"], kept["data_mode"], kept["token_convention"]) == ("prod", "real", "inclusive")
    assert (kept["occurred_at"], kept["event_date"]) == (datetime(2026, 11, 20, 10), date(2026, 11, 20))
    assert set(kept) == {
        *("external_request_id", "provider", "model", "status", "environment", "data_mode", "token_convention"),
        *("content_hash", "line_number", "load_id", "occurred_at", "event_date", "item", "source"),
    }


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-11-20T10:00:00Z", datetime(2026, 11, 20, 10)),
        ("2026-11-20t10:00:00z", datetime(2026, 11, 20, 10)),
        ("2026-11-20T10:00:00", datetime(2026, 11, 20, 10)),
        ("2026-11-20 10:00:00+0530", datetime(2026, 11, 20, 4, 30)),
        ("2026-11-20T10:00:00.123456789+02", datetime(2026, 11, 20, 8, 0, 0, 123456)),
        ("2015-01-01T00:00:00Z", datetime(2015, 1, 1)),
        ("2100-12-31T23:59:59Z", datetime(2100, 12, 31, 23, 59, 59)),
    ],
)
def test_an_offset_is_honoured_and_none_means_utc(settings, written, utc):
    land(settings, "a.jsonl", [event("r", written)])
    load_new_files(settings)
    assert [(row["occurred_at"], row["event_date"]) for row in rows(settings)] == [(utc, utc.date())]


NOTHING = dict.fromkeys(("inputTokens", "outputTokens"))
REASONS = [
    ("invalid_json", '{"a": 1', "it is not JSON"),
    ("invalid_json", "hello", "it is not JSON"),
    ("invalid_json", '{"a":' * 3000 + "1" + "}" * 3000, "nested too deeply"),
    ("not_an_object", "[1, 2]", "no object"),
    ("not_an_object", '"text"', "no object"),
    ("missing_field", {"occurredAt": "2026-11-20T10:00:00Z"}, "externalRequestId is missing"),
    ("missing_field", event(" "), "externalRequestId is missing"),
    ("missing_field", event("r", None), "occurredAt is missing"),
    ("missing_field", event("r", provider=None), "provider is missing"),
    ("missing_field", event("r", model=""), "model is missing"),
    ("missing_field", event("r", status=None), "status is missing"),
    ("id_too_long", event("x" * 257), "externalRequestId has 257 characters"),
    ("bad_timestamp", event("r", "yesterday"), "occurredAt is yesterday"),
    ("bad_timestamp", event("r", "2026-02-30T10:00:00Z"), "occurredAt is 2026-02-30"),
    ("bad_timestamp", event("r", "2026-11-20"), "occurredAt is 2026-11-20"),
    ("bad_timestamp", event("r", 1763632800), "occurredAt is 1763632800"),
    ("date_out_of_range", event("r", "2014-12-31T23:59:59Z"), "occurredAt is 2014"),
    ("date_out_of_range", event("r", "2100-12-31T23:59:59-01:00"), "occurredAt is 2100"),
    ("bad_status", event("r", status="ok"), "status is ok"),
    ("bad_value", event("r", dataMode="live"), "dataMode is live"),
    ("bad_value", event("r", usageSource="guess"), "usageSource is guess"),
    ("bad_value", event("r", tokenConvention="net"), "tokenConvention is net"),
    ("bad_value", event("r", processing="flex"), "processing is flex"),
    ("bad_value", event("r", attempt=0), "attempt is 0, not between 1 and"),
    ("bad_value", event("r", httpStatus="teapot"), "httpStatus is teapot"),
    ("bad_value", event("r", latencyMs="fast"), "latencyMs is fast"),
    ("bad_value", event("r", latencyMs=-1), "latencyMs is -1, not between 0 and"),
    ("bad_value", event("r", latencyMs=1.7e308), "latencyMs is 1.7e+308, not between 0 and 316224000000"),
    ("bad_value", event("r", latencyMs=316_224_000_001), "latencyMs is 316224000001"),
    ("bad_value", event("r", latencyMs="None"), "latencyMs is None"),
    ("bad_value", event("r", costUsd=float("inf")), "costUsd is Infinity"),
    ("bad_value", event("r", costUsd=99999999999999999999999999), "costUsd is 99999999999999999999999999, not between"),
    ("bad_value", event("r", costUsd="-1000000000000.01"), "costUsd is -1000000000000.01, not between"),
    ("bad_value", event("r", costUsd=1e60), "costUsd is 1e+60"),
    ("bad_value", event("r", costUsd="$3"), "costUsd is $3"),
    ("bad_value", event("r", costUsd="1_000"), "costUsd is 1_000"),
    ("bad_value", event("r", withdrawn="maybe"), "withdrawn is maybe"),
    ("bad_value", event("r", inputTokens="many"), "inputTokens is many"),
    ("bad_value", event("r", inputTokens="0x1f"), "inputTokens is 0x1f"),
    ("bad_value", event("r", inputTokens="1,000"), "inputTokens is 1,000, not a whole number"),
    ("bad_value", event("r", inputTokens="null"), "inputTokens is null"),
    ("bad_value", event("r", inputTokens=True), "inputTokens is true"),
    ("bad_value", event("r", inputTokens=float("-inf")), "inputTokens is -Infinity"),
    ("bad_value", event("r", endpointTag="x" * 1025), "endpointTag has 1025 characters, more than 1024"),
    ("bad_value", event("r", errorCode="ü" * 1025), "errorCode has 1025 characters"),
    ("bad_value", event("r", inputTokens=[1]), "inputTokens is [1]"),
    ("bad_value", event("r", inputTokens=10**13), "inputTokens is 10000000000000"),
    ("bad_value", event("r", inputTokens=1e300), "inputTokens is 1e+300"),
    ("bad_value", event("r", priceContext={"speed": 1}), "priceContext is no object of strings"),
    ("bad_value", event("r", priceContext=["fast"]), "priceContext is no object of strings"),
    ("bad_value", event("r", priceContext={str(n): "x" for n in range(33)}), "priceContext has more than 32 words"),
    ("bad_value", event("r", priceContext={"speed": "x" * 257}), "or one of over 256 characters"),
    ("bad_value", event("r", usage={"audio_seconds": "many"}), "usage.audio_seconds is no number"),
    ("bad_value", event("r", usage={"audio_seconds": True}), "usage.audio_seconds is no number"),
    ("bad_value", event("r", usage={"audio_seconds": -3}), "usage.audio_seconds is -3"),
    ("bad_value", event("r", usage={"audio_seconds": 10**12}), "usage.audio_seconds is 1000000000000, not between"),
    ("bad_value", event("r", usage={"audio_seconds": 1e400}), "usage.audio_seconds is inf, not between"),
    ("bad_value", event("r", usage={"input_tool_tokens": 1.5}), "usage.input_tool_tokens is 1.5, and tokens are whole"),
    ("bad_value", event("r", usage={f"unit-{n}": 1 for n in range(101)}), "usage has 101 units, more than 100"),
    ("bad_value", event("r", usage={"u" * 101: 1}), "usage has a unit whose name is"),
    ("bad_value", event("r", usage={"a\0b": 1}), "usage has a unit whose name is"),
    ("bad_value", event("r", usage={"input_tokens": 3}), "usage.input_tokens has a field of its own: send inputTokens"),
    ("negative_tokens", event("r", outputTokens=-3), "outputTokens is -3"),
    ("not_an_integer", event("r", outputTokens=12.5), "outputTokens is 12.5"),
    ("parts_exceed_total", event("r", cacheReadTokens=600, cacheWriteTokens=401), "of inputTokens add up to 1001"),
    ("parts_exceed_total", event("r", reasoningTokens=201), "of outputTokens add up to 201, more than the 200"),
    (
        "parts_exceed_total",
        event("r", cacheWriteTokens=10, cacheWrite30mTokens=6, cacheWrite12hTokens=5),
        "of cacheWriteTokens add up to 11, more than the 10",
    ),
    ("parts_exceed_total", event("r", cacheWrite1hTokens=1), "of cacheWriteTokens add up to 1, more than the 0"),
    (
        "parts_exceed_total",
        event("r", inputAudioTokens=2, cacheReadTokens=9, cacheAudioReadTokens=3),
        "inputAudioTokens",
    ),
    (
        "parts_exceed_total",
        event("r", cacheReadTokens=2, inputImageTokens=9, cacheImageReadTokens=3),
        "cacheReadTokens",
    ),
    ("parts_exceed_total", event("r", inputVideoTokens=600, inputImageTokens=401), "of inputTokens add up to 1001"),
    ("parts_exceed_total", event("r", usage={"input_tool_tokens": 1001}), "input_tokens is 1000, less than its parts"),
    (
        "parts_exceed_total",
        event("r", usage={"output_citation_tokens": 201}),
        "output_tokens is 200, less than its parts",
    ),
    (
        "parts_exceed_total",
        event("r", outputTokens=None, totalTokens=900),
        "of outputTokens add up to 0, more than the -100",
    ),
    (
        "parts_exceed_total",
        event("r", inputTokens=10, cacheReadTokens=100, tokenConvention="exclusive", outputTokens=None, totalTokens=60),
        "of outputTokens add up to 0, more than the -50",
    ),
    ("parts_exceed_total", event("r", reasoningTokens=201, totalTokens=1400), "add up to 201, more than the 200"),
    (
        "bad_value",
        event("r", usage={"input_text_tokens": 1001}),
        "usage.input_text_tokens is 1001, more than inputTokens has room for",
    ),
    (
        "bad_value",
        event("r", inputImageTokens=10, usage={"input_text_tokens": 991}),
        "usage.input_text_tokens is 991, more than inputTokens has room for",
    ),
    (
        "parts_exceed_total",
        event("r", inputTokens=None, totalTokens=100),
        "of inputTokens add up to 0, more than the -100",
    ),
]


def test_half_a_surrogate_pair_costs_no_call(settings):
    odd = [
        event("r-\ud800", providerRequestId="p-\udfff", endpointTag="party \ud83c", metadata={"\ud83c": ["\ud83d"]}),
        event("r-\ud801", endpointTag="whole \U0001f389", priceContext={"speed": "fast\ud83c"}),
    ]
    land(settings, "a.jsonl", [event("good"), *odd, event("bad\ud800", outputTokens=-1)])
    load = load_new_files(settings)
    assert (load.rows_loaded, load.rows_rejected) == (3, 1)
    first, second = rows(settings)[1:]
    # two ids stay two ids: a call is never taken for another
    assert (first["external_request_id"], second["external_request_id"]) == ("r-\\ud800", "r-\\ud801")
    assert (first["provider_request_id"], first["endpoint_tag"]) == ("p-\\udfff", "party \ufffd")
    assert json.loads(first["metadata"]) == {"\ufffd": ["\ufffd"]}
    assert (second["endpoint_tag"], second["price_context"]) == ("whole \U0001f389", '{"speed":"fast\ufffd"}')
    assert "bad\\ud800" in rejects(settings)[0]["line"]


BLANK = ["", " ", "\t\n", "\u00a0", "\u200b", "\ufeff", "\u3000", "\u2060\u2028", "\0", "\u3164"]


@pytest.mark.parametrize("clings", BLANK)
@pytest.mark.parametrize("extension", [".jsonl", ".csv", ".parquet"])
def test_what_cannot_be_seen_at_the_ends_of_a_text_is_not_there(settings, clings, extension):
    texts = ("providerRequestId", "endpointTag", "promptVersion", "tenantId", "userId", "model", "environment")
    seen = FULL | dict.fromkeys(texts, f"{clings}a\xa0b\u200bc{clings}{clings}")
    seen |= {"externalRequestId": f"r{clings}", "status": f"{clings}success", "serviceTier": f"flex{clings}"}
    seen |= {
        "inputTokens": f"{clings}100{clings}",
        "priceContext": {f"speed{clings}": f"{clings}fast"},
        "costUsd": f"{clings}1.5",
    }
    content = {".jsonl": jsonl([seen]), ".csv": csv_text([seen]), ".parquet": parquet([seen])}[extension]
    land(settings, f"a{extension}", content)
    assert load_new_files(settings).rejects_by_reason == {}
    (row,) = rows(settings)
    assert {row[snake_case(name)] for name in texts} == {"a\u00a0b\u200bc"}
    assert (row["external_request_id"], row["status"], row["service_tier"]) == ("r", "success", "flex")
    assert (row["input_tokens"], row["price_context"]) == (100, '{"speed":"fast"}')
    assert row["reported_cost_usd"] == Decimal("1.5")


@pytest.mark.parametrize("blank", [*BLANK, "NaN", "nan", None, float("nan")])
def test_a_blank_number_is_an_absent_one(settings, blank):
    numbers = (*TOKENS, "attempt", "httpStatus", "latencyMs", "costUsd", "withdrawn")
    odd = event("r", **dict.fromkeys(numbers, blank), usage={"audio_seconds": blank, "input_pixels": "1e3"})
    plain = {
        "providerRequestId": None if isinstance(blank, float) else "",
        "priceContext": {"speed": ""},
        "occurredAt": "",
    }
    land(settings, "a.jsonl", [odd | plain | {"createdAt": "2026-11-20T10:00:00Z"}])
    assert load_new_files(settings).rejects_by_reason == {}
    (row,) = rows(settings)
    assert {row[snake_case(name)] for name in numbers if name != "costUsd"} == {None}
    assert (row["reported_cost_usd"], row["provider_request_id"], row["price_context"]) == (None, None, None)
    assert row["usage"] == '{"input_pixels":1000}'


def test_the_tenant_of_the_metadata_is_read_like_any_text(settings):
    metadata = [{"tenantId": "acme\u00a0"}, {"tenantId": ""}, {"tenantId": 7}, json.dumps({"tenantId": " acme"})]
    land(settings, "a.jsonl", [event("r", tenantId=None, metadata=one) for one in metadata])
    twice = json.dumps(event("r", tenantId="", metadata={"tenantId": "a"}))
    land(settings, "b.jsonl", [twice.replace('"tenantId": "a"', '"tenantId": "a", "tenantId": "b"')])
    load_new_files(settings)
    assert sorted(str(row["tenant_id"]) for row in rows(settings)) == ["7", "None", "acme", "acme", "b"]


def test_of_a_repeated_key_the_last_counts(settings):
    line = json.dumps(event("r", color="red", inputTokens=20))
    usage, context = '{"audio_seconds": 1, "audio_seconds": 2}', '{"speed": "slow", "speed": "fast"}'
    last = '"inputTokens": 10000, "color": "blue"'
    land(settings, "a.jsonl", [f'{line[:-1]}, {last}, "usage": {usage}, "priceContext": {context}}}', event("s")])
    texts = f'"usage": {json.dumps(usage)}, "priceContext": {json.dumps(context)}'
    land(settings, "b.jsonl", [f"{line[:-1]}, {last}, {texts}}}"])
    assert load_new_files(settings).rejects_by_reason == {}
    read = [row for row in rows(settings) if row["external_request_id"] == "r"]
    assert {(row["input_tokens"], row["metadata"]) for row in read} == {(10_000, '{"color":"blue"}')}
    assert {(row["usage"], row["price_context"]) for row in read} == {('{"audio_seconds":2}', '{"speed":"fast"}')}


@pytest.mark.parametrize(
    ("fields", "filled"),
    [
        ({"usage": {"input_text_tokens": 900, "output_text_tokens": 90}}, {"inputTokens": 900, "outputTokens": 90}),
        (
            {"inputImageTokens": 50, "usage": {"input_text_tokens": "900", "output_text_tokens": 90.0}},
            {"inputTokens": 950, "outputTokens": 90},
        ),
        (
            {"inputTokens": "", "usage": {"cache_text_read_tokens": 600, "input_text_tokens": 900}},
            {"cacheReadTokens": 600, "inputTokens": 900},
        ),
        ({"totalTokens": 100, "outputTokens": 10, "usage": {"input_text_tokens": 90}}, {"inputTokens": None}),
        ({"inputTokens": 900, "usage": {"input_text_tokens": 900}}, {"inputTokens": 900}),
        (
            {
                "inputTokens": 300,
                "cacheReadTokens": 600,
                "tokenConvention": "Exclusive",
                "usage": {"input_text_tokens": 900},
            },
            {"inputTokens": 300},
        ),
        ({"usage": json.dumps({"input_text_tokens": 900})}, {"inputTokens": 900}),
    ],
)
def test_counts_of_text_alone_are_the_counts(settings, fields, filled):
    land(settings, "a.jsonl", [event("r", **({"inputTokens": None, "outputTokens": None} | fields))])
    assert load_new_files(settings).rejects_by_reason == {}
    (row,) = rows(settings)
    assert {name: row[snake_case(name)] for name in filled} == filled
    assert row["usage"] is None


def test_words_that_select_a_price_are_read_without_their_case(settings):
    words = event(
        "r",
        status="Success",
        dataMode="TEST",
        usageSource="Provider",
        processing="Batch",
        serviceTier="Flex",
        requestedServiceTier="Auto",
        region="EU-West-1",
        priceContext={"Speed": "FAST"},
        tokenConvention="Inclusive",
    )
    land(
        settings,
        "a.jsonl",
        [words, event("s", serviceTier="BATCH"), event("t", serviceTier="batch", processing="realtime")],
    )
    assert load_new_files(settings).rejects_by_reason == {}
    first, second, third = rows(settings)
    assert [first[column] for column in ("status", "data_mode", "usage_source", "processing", "service_tier")] == [
        *("success", "test", "provider", "batch", "flex")
    ]
    assert [first[column] for column in ("requested_service_tier", "region", "price_context", "token_convention")] == [
        *("auto", "eu-west-1", '{"speed":"fast"}', "inclusive")
    ]
    # Anthropic calls the tier of a batch `batch`
    assert (second["processing"], second["service_tier"]) == ("batch", None)
    assert (third["processing"], third["service_tier"]) == ("realtime", "batch")


@pytest.mark.parametrize("batch", ["alone", "together"])
def test_every_reason_says_what_where_and_what_to_do(settings, batch):
    lines = [line for _, line, _ in REASONS]
    files = [lines] if batch == "together" else [[line] for line in lines]
    for number, content in enumerate(files):
        land(settings, f"{number:02d}.jsonl", [event("good"), *content])
    load = load_new_files(settings)
    assert load.rows_loaded == len(files)
    found = sorted(rejects(settings), key=lambda row: (row["landing_file"], row["line_number"]))
    for row, (code, _, words) in zip(found, REASONS, strict=True):
        where = f"landing/{row['landing_file']} line {row['line_number']}: rejected, {code}: "
        assert row["message"].startswith(where), (code, row["message"])
        assert words in row["message"]
        assert row["reason_code"] == code
        assert row["message"].endswith("the line is kept in rejected_events.")
        assert row["arrival_date"] == date(2026, 11, 21)
    assert files_with_missing_rows(settings) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"outputTokens": 12.0},
        {"outputTokens": "12"},
        {"outputTokens": 1e3, "reasoningTokens": 1000},
        {"inputTokens": 9_999_999_999_999},
        {"inputTokens": 10, "cacheReadTokens": 600, "cacheWriteTokens": 401, "tokenConvention": "exclusive"},
        {"inputTokens": None, "cacheReadTokens": 5},
        {"inputTokens": None, "totalTokens": 205, "cacheReadTokens": 5},
        {"inputTokens": 1000, "cacheReadTokens": 1000},
        {"endpointTag": "x" * 1024, "latencyMs": 316_224_000_000, "costUsd": "1000000000000", "attempt": 2**31 - 1},
        {"reasoningTokens": 600, "totalTokens": 1800},
        {"usage": {"audio_seconds": 999_999_999_999, "input_tool_tokens": "10", "a unit of ours": 1e-9}},
        {"priceContext": {}, "usage": {}, "metadata": {}, "withdrawn": False, "externalRequestId": "x" * 256},
        {"withdrawn": True, "unknown": None, "metadata": "not an object"},
    ],
)
def test_at_the_boundary_it_still_loads(settings, fields):
    land(settings, "a.jsonl", [event("r", **fields)])
    assert load_new_files(settings).rejects_by_reason == {}
    (row,) = rows(settings)
    assert row["withdrawn"] is (True if fields.get("withdrawn") else None)
    assert row["metadata"] == ('{"metadata":"not an object"}' if fields.get("metadata") else None)


def test_whole_numbers_are_exact(settings):
    land(settings, "a.jsonl", [event("r", outputTokens=12.0, inputTokens="34", totalTokens=1e3)])
    load_new_files(settings)
    assert [(r["output_tokens"], r["input_tokens"], r["total_tokens"]) for r in rows(settings)] == [(12, 34, 1000)]


def test_unknown_fields_are_kept_whatever_their_names(settings):
    odd = {"Model": 1, "a b": {"x": [1]}, 'quo"te': "é", "": 2, "model ": True}
    many = {f"generated-{number}": number for number in range(150)}
    for name, events in {
        "odd": [event("odd", **odd)],
        "many": [event("many", **many, metadata={"generated-1": "mine"})],
        "few": [event("few", color="red", size=[1], metadata={"color": "blue"}), event("one", size=2), event("none")],
    }.items():
        land(settings, f"{name}.jsonl", events)
        assert load_new_files(settings).rejects_by_reason == {}
    kept = {row["external_request_id"]: json.loads(row["metadata"] or "{}") for row in rows(settings)}
    assert kept == {
        "odd": odd,
        "many": many | {"generated-1": "mine"},
        "few": {"color": "blue", "size": [1]},
        "one": {"size": 2},
        "none": {},
    }


def test_the_manifest_has_a_row_per_file_and_date(settings):
    bad = event("bad", outputTokens=-1)
    land(
        settings,
        "a.jsonl",
        [event("1"), bad, event("2", "2026-11-19T08:00:00Z"), event("3", model="gpt-5"), event("4")],
    )
    land(settings, "b.jsonl", [bad | {"extra": 1}])
    load = load_new_files(settings)
    first, second, refused, only_refused = manifest(settings)
    assert [(r["event_date"], r["rows_in"], r["rows_loaded"], r["rows_rejected"]) for r in (first, second)] == [
        (date(2026, 11, 19), 1, 1, 0),
        (date(2026, 11, 20), 3, 3, 0),
    ]
    assert (refused["event_date"], refused["rows_in"], refused["rows_rejected"]) == (None, 1, 1)
    assert refused["rejects_by_reason"] == {"negative_tokens": 1}
    assert (only_refused["file_status"], only_refused["raw_file"]) == ("loaded", None)
    keys = dict.fromkeys(("processing", "service_tier", "region", "price_context")) | {"provider": "anthropic"}
    assert second["price_keys"] == [keys | {"model": "claude-sonnet-4-5"}, keys | {"model": "gpt-5"}]
    assert second["raw_file"] == f"events/event_date=2026-11-20/load={load.load_id}-0.parquet"
    assert second["landing_file"] == "events/dt=2026-11-21/a.jsonl"
    assert (first["first_occurred_at"], first["last_occurred_at"]) == (datetime(2026, 11, 19, 8),) * 2
    assert load.summary()["event_dates"] == ["2026-11-19", "2026-11-20"]
    assert json.dumps(load.summary())


def test_content_is_loaded_once_whatever_its_name_and_time(settings):
    path = land(settings, "a.jsonl", [event("1"), event("2")])
    assert load_new_files(settings).rows_loaded == 2
    before = sorted(settings.raw.rglob("*.parquet"))
    assert load_new_files(settings).load_id is None
    assert sorted(settings.raw.rglob("*.parquet")) == before

    land(settings, "copy.jsonl", path.read_bytes(), day="2026-11-22")
    path.touch()
    again = load_new_files(settings)
    assert (again.files, again.rows_in) == (2, 0)
    assert {row["file_status"] for row in manifest(settings) if row["load_id"] == again.load_id} == {"already_loaded"}
    assert new_files(settings) == []
    assert len(rows(settings)) == 2


def test_two_names_in_one_load_are_one_content(settings):
    land(settings, "a.jsonl", [event("1")])
    land(settings, "b.jsonl", [event("1")])
    assert load_new_files(settings).rows_loaded == 1
    assert [row["file_status"] for row in manifest(settings)] == ["loaded", "already_loaded"]


def test_an_idle_zone_has_a_schema(settings):
    assert load_new_files(settings).load_id is None
    (schema,) = manifest_files(settings)
    assert manifest(settings) == []
    assert pq.read_schema(schema).names[:4] == ["load_id", "loaded_at", "source", "landing_file"]
    assert pq.read_schema(settings.raw / "_schema" / "events.parquet").names == list(RAW_COLUMNS)


def test_a_fault_costs_only_what_is_broken(settings):
    good = [event("good-1"), event("good-2")]
    unzipped = jsonl([event(f"gz-{number}", note=uuid4().hex) for number in range(2000)])
    zipped = gzip.compress(unzipped)
    land(settings, "cut.jsonl.gz", zipped[: len(zipped) // 2])
    land(settings, "long.jsonl", b'{"prompt": "' + b"SECRET" * 1_800_000 + b'"}\n' + jsonl([event("after-long")]))
    land(settings, "utf8.jsonl", jsonl([event("u-1")]) + b'{"a": "\xff\xfe"}\n' + jsonl([event("u-2")]))
    land(settings, "list.parquet", parquet([event("p", inputTokens=[1, 2])]))
    land(settings, "words.parquet", parquet([event("p", inputTokens="many"), event("p-2", inputTokens="7")]))
    land(settings, "corrupt.parquet", parquet(good)[:-30])
    land(settings, "no.parquet", b"hello")
    land(settings, "no.jsonl.gz", b"hello")
    names = ["externalRequestId", "occurredAt", "provider", "model", "status", "inputTokens"]
    table = csv_text([event("c-1"), event("c-2"), event("c-3")], names).decode().splitlines()
    shifted = [table[0], table[1], table[2] + ",9", '"open,' + table[2], "", table[3]]
    land(settings, "shifted.csv", "\n".join(shifted).encode())
    land(settings, "empty.jsonl", b"")
    land(settings, "blank.jsonl", b"\n  \n")
    land(settings, "notes.txt", b"hello")
    land(settings, "early.jsonl", good, day="2026-13-45")
    land(settings, "good.jsonl", good)
    load = load_new_files(settings)
    refused = {(Path(row["landing_file"]).name, row["reason_code"], row["line_number"]) for row in rejects(settings)}
    assert refused == {
        ("cut.jsonl.gz", "truncated_gzip", 0),
        ("long.jsonl", "line_too_long", 1),
        ("utf8.jsonl", "invalid_utf8", 2),
        ("list.parquet", "bad_value", 1),
        ("words.parquet", "bad_value", 1),
        ("corrupt.parquet", "unreadable_file", 0),
        ("no.parquet", "unreadable_file", 0),
        ("no.jsonl.gz", "unreadable_file", 0),
        ("shifted.csv", "wrong_column_count", 3),
        ("shifted.csv", "wrong_column_count", 4),
        ("empty.jsonl", "empty_file", 0),
        ("blank.jsonl", "empty_file", 0),
        ("notes.txt", "bad_file_name", 0),
        ("early.jsonl", "bad_file_name", 0),
    }
    loaded = {row["external_request_id"]: row["line_number"] for row in rows(settings)}
    before_the_cut = [int(name.removeprefix("gz-")) for name in loaded if name.startswith("gz-")]
    assert 0 < len(before_the_cut) == max(before_the_cut) + 1 < 2000
    others = {name: number for name, number in loaded.items() if not name.startswith("gz-")}
    assert others == {"after-long": 2, "u-1": 1, "u-2": 3, "p-2": 2, "c-1": 2, "c-3": 6, "good-1": 1, "good-2": 2}
    assert load.rows_in == load.rows_loaded + load.rows_rejected
    assert files_with_missing_rows(settings) == []
    (cut,) = [row["message"] for row in rejects(settings) if row["reason_code"] == "truncated_gzip"]
    assert cut.startswith(
        "landing/events/dt=2026-11-21/cut.jsonl.gz: rejected, truncated_gzip: the gzip data breaks off"
    )
    assert load_new_files(settings).load_id is None


def test_line_numbers_are_those_of_the_file(settings):
    mark = b"\xef\xbb\xbf"
    land(settings, "a.jsonl", mark + b"\n" + jsonl([event("2")]) + b"\r\n   \n" + jsonl([event("5")]) + b'{"6"')
    load_new_files(settings)
    assert {row["external_request_id"]: row["line_number"] for row in rows(settings)} == {"2": 2, "5": 5}
    assert [row["line_number"] for row in rejects(settings)] == [6]


def test_a_line_may_be_as_long_as_the_setting_says(settings):
    long = json.dumps(event("r"))
    land(settings, "a.jsonl", [long])
    load = load_new_files(replace(settings, max_line_bytes=len(long) - 1))
    assert load.rejects_by_reason == {"line_too_long": 1}
    land(settings, "b.jsonl", [long, ""])
    assert load_new_files(replace(settings, max_line_bytes=len(long))).rejects_by_reason == {}


def test_a_file_that_is_still_written_waits_for_the_next_load(settings, monkeypatch):
    land(settings, "a.jsonl", [event("1")])
    land(settings, "b.jsonl", [event("2")])
    stale = [replace(file, size_bytes=1) if "b.jsonl" in file.path else file for file in new_files(settings)]
    with monkeypatch.context() as growing:
        growing.setattr("orchestration.landing.waiting.find_files", lambda *_: (stale, []))
        load = load_new_files(settings)
    assert (load.files, load.rows_loaded) == (1, 1)
    assert "landing/events/dt=2026-11-21/b.jsonl changed while it was read" in load.unread[0]
    assert load_new_files(settings).rows_loaded == 1


def test_links_are_not_followed(settings, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.jsonl").write_bytes(jsonl([event("stolen")]))
    inside = land(settings, "a.jsonl", [event("1")])
    inside.with_name("link.jsonl").symlink_to(outside / "x.jsonl")
    (inside.parent.parent / "dt=2026-11-19").symlink_to(outside)
    assert load_new_files(settings).rejects_by_reason == {"outside_landing": 2}
    assert [row["external_request_id"] for row in rows(settings)] == ["1"]
    assert load_new_files(settings).load_id is None


def test_a_fixed_file_under_a_right_name_loads(settings):
    path = land(settings, "a.txt", [event("1")])
    assert load_new_files(settings).rejects_by_reason == {"bad_file_name": 1}
    path.rename(path.with_suffix(".jsonl"))
    assert load_new_files(settings).rows_loaded == 1


def test_quoted_csv_fields_may_hold_line_breaks(settings):
    written = event("1", metadata={"note": "two, fields"}, endpointTag='say "hi"\nthere')
    land(settings, "a.csv", csv_text([written, event("2")], list(written)))
    assert load_new_files(settings).rejects_by_reason == {}
    first, second = rows(settings)
    assert (first["endpoint_tag"], json.loads(first["metadata"])) == ('say "hi"\nthere', {"note": "two, fields"})
    assert (first["line_number"], second["line_number"]) == (2, 4)


def test_an_object_store_is_read_through_a_spool(settings):
    address = f"memory://bucket-{uuid4().hex}"
    store, root = fsspec.url_to_fs(address)
    for name, content in FORMATS.items():
        store.pipe(f"{root}/events/dt=2026-11-21/{name}", content)
    store.pipe(f"{root}/events/dt=2026-11-21/_SUCCESS", b"")
    settings = replace(settings, landing_address=address)
    load = load_new_files(settings)
    assert (load.files, load.rows_loaded, load.rows_rejected) == (6, 6, 0)
    assert load_new_files(settings).load_id is None
    assert not (settings.state / "landing").exists()


def test_a_large_file_is_cut_and_put_together_again(settings, monkeypatch):
    monkeypatch.setattr("orchestration.landing.load.BATCH_BYTES", 20_000)
    monkeypatch.setattr("orchestration.landing.lines.READ_BYTES", 7_000)
    land(settings, "small.jsonl", [event("s")])
    land(settings, "x-large.jsonl", [event(f"r-{n}", f"2026-11-{19 + n % 2}T10:00:00Z") for n in range(500)])
    land(settings, "y-small.jsonl", [event("t")])
    assert load_new_files(settings).rows_loaded == 502
    assert {row["line_number"] for row in rows(settings) if row["external_request_id"].startswith("r-")} == set(
        range(1, 501)
    )
    there = [row for row in manifest(settings) if row["landing_file"].endswith("x-large.jsonl")]
    assert [(row["event_date"].day, row["rows_loaded"]) for row in there] == [(19, 250), (20, 250)]
    assert not list(settings.raw.rglob("*.part*"))
    assert files_with_missing_rows(settings) == []


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from([*FULL, "createdAt", "withdrawn"]) | st.text(max_size=12)
lines = st.dictionaries(names, anything, max_size=8).map(lambda odd: FULL | odd) | anything


ENDINGS = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".json", ".ndjson.gz")


@example(texts=["[null]"], extension=".json")
@given(st.lists(lines.map(json.dumps) | st.text(max_size=30), min_size=1, max_size=6), st.sampled_from(ENDINGS))
@examples(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_lands_is_loaded_or_rejected(tmp_path, texts, extension):
    settings = pipeline_at(tmp_path / uuid4().hex, threads=1).settings
    text = "".join(f"{line}\n" for line in texts).encode(errors="surrogatepass")
    land(settings, f"a{extension}", gzip.compress(text) if extension.endswith(".gz") else text)
    load = load_new_files(settings)
    assert load.rows_in == load.rows_loaded + load.rows_rejected
    assert not [row for row in rejects(settings) if "Exception" in row["message"]]
    if extension.startswith(".jsonl"):
        assert load.rows_in == max(1, sum(1 for line in text.split(b"\n") if line.strip()))
    assert files_with_missing_rows(settings) == []


counts = st.none() | st.booleans() | st.integers(-5, 10**14) | st.floats() | st.text(max_size=3) | anything
payloads = st.dictionaries(
    st.sampled_from(
        [
            *(
                "input_tokens",
                "output_tokens",
                "prompt_tokens",
                "completion_tokens",
                "total_tokens",
                "iterations",
                "usage",
            ),
            *("promptTokenCount", "candidatesTokenCount", "response", "speed", "service_tier", "trafficType", "model"),
            *("cache_creation", "cache_creation_input_tokens", "input_tokens_details", "output_tokens_details"),
        ]
    ),
    st.deferred(lambda: counts | payloads | st.lists(payloads, max_size=3)),
    max_size=6,
)
usages = st.fixed_dictionaries(
    {}, optional={"raw": payloads | anything, "apiFlavor": st.sampled_from(["chat", "images", 7])}
)


@given(
    st.sampled_from(["anthropic", "openai", "google", "x-ai", "aws", "openrouter", "vllm", 3]),
    st.sampled_from(["gpt-image-1", "m", None]),
    usages | st.dictionaries(st.sampled_from(sorted(TEXT_COUNTS)), counts, max_size=3) | anything,
    st.dictionaries(st.sampled_from([*TOKENS, "priceContext", "serviceTier", "tokenConvention"]), anything, max_size=4),
)
@examples(max_examples=400, deadline=None)
def test_whatever_a_usage_object_holds_it_is_read_or_refused(provider, model, usage, fields):
    line = json.dumps(event("r", provider=provider, model=model, usage=usage, **fields))
    again = json.loads(reread(line))
    assert (again["externalRequestId"], again["status"]) == ("r", "success")
    read_back = usage_json(json.dumps(again["usage"]) if isinstance(again["usage"], dict) else str(again["usage"]))
    assert read_back == "" or read_back[0] in "!{"


def test_real_usage_loads_without_a_reject(settings, shared_data):
    for path in sorted((shared_data / "landing_real" / "events").glob("*/*")):
        land(settings, path.name, path.read_bytes(), day=path.parent.name.removeprefix("dt="))
    load = load_new_files(settings)
    assert (load.rows_in, load.rows_loaded, load.rows_rejected) == (5_563, 5_563, 0)
    assert len(rows(settings)) == 5_563


BASE = {key: FULL[key] for key in ("externalRequestId", "occurredAt", "provider", "model", "status")}
BYTES = pa.array([b"caf\xc3\xa9", None, b"\xff\xfe"])


def table(**columns) -> bytes:
    """Three events as Parquet, with these columns."""
    sink = io.BytesIO()
    rows = {name: pa.array([value] * 3) for name, value in BASE.items()} | {"externalRequestId": pa.array(list("123"))}
    pq.write_table(pa.table(rows | columns), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    "column",
    [
        BYTES,
        BYTES.cast(pa.large_binary()),
        BYTES.dictionary_encode(),
        pa.Array.from_buffers(pa.string(), 3, BYTES.buffers()),  # marked as text, and none
    ],
    ids=["binary", "large", "dictionary", "string"],
)
def test_parquet_text_needs_no_mark(settings, column):
    land(settings, "a.parquet", table(tenantId=column, note=column))
    assert load_new_files(settings).rejects_by_reason == {"invalid_utf8": 1}
    assert [(row["external_request_id"], row["tenant_id"]) for row in rows(settings)] == [("1", "café"), ("2", None)]
    (refused,) = rejects(settings)
    assert "tenantId holds bytes that are no UTF-8" in refused["message"]
    assert json.loads(refused["line"])["tenantId"] == r"\xFF\xFE"


def test_bytes_of_nobody_s_field_cost_no_row(settings):
    land(settings, "a.parquet", table(note=BYTES))
    assert load_new_files(settings).rejects_by_reason == {}
    metadata = [json.loads(row["metadata"] or "{}") for row in rows(settings)]
    assert metadata == [{"note": r"caf\xC3\xA9"}, {}, {"note": r"\xFF\xFE"}]


def map_of(*pairs, kind=pa.float64()) -> pa.Array:  # noqa: B008
    return pa.array([list(pairs), None, []], pa.map_(pa.string(), kind))


NAN, HALF = float("nan"), 0.5
PARQUET_VALUES = [
    ({"inputTokens": pa.array([NAN, 10.0, None])}, "input_tokens", [None, 10, None]),
    ({"inputTokens": pa.array([NAN, 10.0, None], pa.float32())}, "input_tokens", [None, 10, None]),
    ({"inputTokens": pa.array([1, 2, 2**40], pa.uint64())}, "input_tokens", [1, 2, 2**40]),
    ({"inputTokens": pa.array([Decimal("7.00")] * 3)}, "input_tokens", [7, 7, 7]),
    ({"latencyMs": pa.array([NAN, HALF, None])}, "latency_ms", [None, HALF, None]),
    ({"costUsd": pa.array([NAN, HALF, None])}, "reported_cost_usd", [None, Decimal("0.5"), None]),
    ({"costUsd": pa.array([Decimal("0.5")] * 3, pa.decimal256(60, 20))}, "reported_cost_usd", [Decimal("0.5")] * 3),
    ({"withdrawn": pa.array([True, False, None])}, "withdrawn", [True, None, None]),
    ({"tenantId": pa.nulls(3)}, "tenant_id", [None] * 3),
    (
        {"usage": map_of(("audio_seconds", HALF), ("video_seconds", NAN))},
        "usage",
        ['{"audio_seconds":0.5}', None, None],
    ),
    (
        {"usage": pa.array([{"audio_seconds": NAN}, None, {"audio_seconds": HALF}])},
        "usage",
        [None, None, '{"audio_seconds":0.5}'],
    ),
    ({"priceContext": map_of(("speed", "fast"), kind=pa.string())}, "price_context", ['{"speed":"fast"}', None, None]),
    (
        {"occurredAt": pa.array([datetime(2026, 11, 20, 9)] * 3, pa.timestamp("ns"))},
        "occurred_at",
        [datetime(2026, 11, 20, 9)] * 3,
    ),
    (
        {"occurredAt": pa.array([datetime(2026, 11, 20, 9)] * 3, pa.timestamp("ms", "Europe/Berlin"))},
        "occurred_at",
        [datetime(2026, 11, 20, 9)] * 3,
    ),
]


@pytest.mark.parametrize(("columns", "column", "expected"), PARQUET_VALUES)
def test_parquet_types_say_what_they_mean(settings, columns, column, expected):
    land(settings, "a.parquet", table(**columns))
    assert load_new_files(settings).rejects_by_reason == {}
    assert [row[column] for row in rows(settings)] == expected


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"latencyMs": pa.array([float("inf"), 1.0, 1.0])}, "bad_value"),
        ({"occurredAt": pa.array([10**17, 1_763_632_800_000, 1_763_632_800_000], pa.timestamp("ms"))}, "bad_value"),
    ],
)
def test_a_value_that_is_none_costs_its_row(settings, columns, reason):
    land(settings, "a.parquet", table(**columns))
    assert load_new_files(settings).rejects_by_reason == {reason: 1}
    assert [row["line_number"] for row in rejects(settings)] == [1]


def test_parquet_without_rows_or_without_values_is_accounted_for(settings):
    sink = io.BytesIO()
    pq.write_table(pa.table({"model": pa.array([], pa.string())}), sink)
    land(settings, "none.parquet", sink.getvalue())
    for name, column in (("empty", "model"), ("bodies", "prompt")):
        sink = io.BytesIO()
        pq.write_table(pa.table({column: pa.nulls(2, pa.string()) if name == "empty" else pa.array(["p", "p"])}), sink)
        land(settings, f"{name}.parquet", sink.getvalue())
    assert load_new_files(settings).rejects_by_reason == {"empty_file": 1, "missing_field": 4}
    assert files_with_missing_rows(settings) == []
