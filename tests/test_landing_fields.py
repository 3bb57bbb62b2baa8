"""Rows of Parquet that are judged as typed columns become what they would become as JSON lines, to the last character."""

import io
import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.landing import load
from orchestration.landing.load import load_new_files
from orchestration.landing.manifests import manifest_rows_sql
from orchestration.landing.sources import OWN_SOURCES
from orchestration.settings import Settings
from tests.pipeline import pipeline_at

ROWS = 60
FIRST = datetime(2026, 11, 20, 23, 59, tzinfo=UTC)
TEXTS = [
    "openai",
    " padded\t",
    "",
    "NaN",
    "nan",
    "caf\u00e9",
    "a\\b",
    'say "x"',
    "line\nbreak",
    "\u200bthin",
    None,
    None,
]
WORDS = ["batch", "Batch ", "maybe", "flex", None]
COUNTS = [5_000, 1, 12, 0, -3, 10**13, 2**62, None, None]
METADATA = ['{"tenantId":"t-1"}', '{ "b" : 1e3, "prompt":"secret"}', "null", '"text"', "[1]", "{}", None, None, None]


def mostly(dice: random.Random, values: list):
    """The first of the values, or now and then any of them."""
    return values[0] if dice.random() < 0.9 else dice.choice(values)


COLUMNS = {
    "externalRequestId": (lambda dice, at: f"r-{at}" if dice.random() < 0.95 else dice.choice(TEXTS), [pa.string()]),
    "provider": (lambda dice, _: mostly(dice, TEXTS), [pa.string(), pa.large_string()]),
    "model": (lambda dice, _: mostly(dice, TEXTS[:8]), [pa.string()]),
    "status": (lambda dice, _: mostly(dice, ["success", "error", "SUCCESS ", "maybe"]), [pa.string()]),
    "occurred_at": (
        lambda dice, _: FIRST + timedelta(seconds=dice.randrange(10**6)) if dice.random() < 0.97 else None,
        [pa.timestamp("us", "UTC"), pa.timestamp("us"), pa.timestamp("ns", "Asia/Tokyo"), pa.string()],
    ),
    "createdAt": (lambda *_: "2026-11-20T10:00:00.5+01:00", [pa.string()]),
    "tenantId": (lambda dice, _: mostly(dice, [*TEXTS, "x" * 2_000]), [pa.string()]),
    "processing": (lambda dice, _: mostly(dice, WORDS), [pa.string()]),
    "serviceTier": (lambda dice, _: mostly(dice, WORDS), [pa.string()]),
    "inputTokens": (lambda dice, _: mostly(dice, COUNTS), [pa.int64(), pa.float64(), pa.string()]),
    "output_tokens": (lambda dice, _: mostly(dice, COUNTS[:4]), [pa.int16(), pa.uint64(), pa.float32()]),
    "cacheReadTokens": (lambda dice, _: mostly(dice, [0, *COUNTS[:4]]), [pa.int32()]),
    "attempt": (lambda dice, _: mostly(dice, [None, 1, 2, 0, None]), [pa.int8(), pa.string()]),
    "latencyMs": (lambda dice, _: mostly(dice, [0.5, 114.0, -1.0, 1e22, float("nan"), None]), [pa.float64()]),
    "costUsd": (
        lambda dice, _: mostly(dice, [Decimal("0.000024"), Decimal(-1), Decimal(10**13), None]),
        [pa.decimal128(38, 12), pa.float64(), pa.string()],
    ),
    "metadata": (lambda dice, _: mostly(dice, METADATA), [pa.json_(), pa.string()]),
    "priceContext": (lambda dice, _: mostly(dice, ['{"Speed":"Fast"}', "{}", "[]", None]), [pa.string()]),
    "withdrawn": (lambda dice, _: mostly(dice, [True, False, None]), [pa.bool_()]),
    "team": (lambda dice, _: mostly(dice, METADATA), [pa.json_(), pa.string()]),
    "line_number": (lambda dice, _: mostly(dice, COUNTS), [pa.int64()]),
    "messages": (lambda dice, _: mostly(dice, TEXTS), [pa.string()]),
    "tags": (lambda dice, _: mostly(dice, [["a", "b"], [], None]), [pa.list_(pa.string())]),
    "usage": (lambda dice, _: mostly(dice, ['{"images":2}', '{"raw":{}}', None]), [pa.string()]),
}
NEEDED = {"externalRequestId", "provider", "model", "status", "createdAt"}
SELDOM = {"line_number", "messages", "tags", "usage"}


def events(seed: int) -> pa.Table:
    """Rows with a choice of columns and types, some of which no event should have."""
    dice = random.Random(seed)
    columns = {}
    for name, (value, kinds) in COLUMNS.items():
        if name in NEEDED or dice.random() < (0.15 if name in SELDOM else 0.9):
            kind = dice.choice(kinds[: 1 if seed % 2 else None])
            values = [value(dice, at) for at in range(ROWS)]
            if pa.types.is_string(kind):
                values = [None if found is None else str(found) for found in values]
            if seed % 2:  # nothing in it that needs a look inside, so that it stays columns
                is_text = any(isinstance(found, str) for found in values)
                values = [
                    None if is_text and found and ("NaN" in found or not found.isprintable()) else found
                    for found in values
                ]
            columns[name] = _array(values, kind)
    return pa.table(columns)


def _array(values: list, kind: pa.DataType) -> pa.Array:
    try:
        if isinstance(kind, pa.JsonType):
            return pa.ExtensionArray.from_storage(kind, pa.array(values, pa.string()))
        if pa.types.is_floating(kind):
            values = [None if found is None else float(found) for found in values]
        return pa.array(values, kind)
    except (pa.ArrowException, OverflowError):
        return pa.array([None if found is None else str(found) for found in values], pa.string())


def judged(settings: Settings) -> list[dict]:
    """Raw rows and rejects, without what names the load; the order of keys in metadata depends on the rest of a batch."""
    found = []
    with duckdb.connect() as database:
        for column in ("raw_file", "rejects_file"):
            named = f"select distinct {column} from {manifest_rows_sql(settings)} where {column} is not null"
            files = [str(settings.raw / file) for (file,) in database.sql(named).fetchall()]
            source = "from read_parquet($files, hive_partitioning = false) order by content_hash, line_number"
            rows = database.execute(f"select * exclude (load_id) {source}", {"files": files})
            found += rows.to_arrow_table().to_pylist()
    return [row | {"metadata": json.loads(row.get("metadata") or "null")} for row in found]


@pytest.mark.parametrize("secret", ["", "a secret of thirty-two characters"])
def test_fields_are_judged_as_lines_are(tmp_path: Path, monkeypatch, secret):
    contents, batches = [], []
    for seed in range(24):
        out = io.BytesIO()
        pq.write_table(events(seed), out)
        contents.append(out.getvalue())
    contents.insert(7, b'{"externalRequestId": "between"}\n')
    whole = load.Batch.whole
    monkeypatch.setattr(load.Batch, "whole", lambda batch: batches.append(batch) or whole(batch))
    found = {}
    for takes_fields in (True, False):
        settings = replace(pipeline_at(tmp_path / f"{takes_fields}").settings, id_secret=secret)
        monkeypatch.setitem(OWN_SOURCES, "events", replace(OWN_SOURCES["events"], takes_fields=takes_fields))
        for number, content in enumerate(contents):
            ending = "parquet" if content.startswith(b"PAR1") else "jsonl"
            path = Path(settings.landing) / "events" / "dt=2026-11-21" / f"{number:02d}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        assert load_new_files(settings).rows_loaded > 100
        found[takes_fields] = judged(settings)
        rows = sum(batch.rows for batch in batches if "line" not in batch.types)
        assert rows > 5 * ROWS if takes_fields else not rows
        batches.clear()
    for as_fields, as_lines in zip(found[True], found[False], strict=True):
        assert as_fields == as_lines
