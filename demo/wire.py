"""How senders write an event: native camelCase fields, each sender with habits of its own. Null fields are left out."""

import gzip
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from demo.traffic import DATA_MODES, ENVIRONMENTS, ERRORS, ESTIMATE, TIERS
from demo.world import ENDPOINTS, MODELS, SERVICE_ACCOUNT, World

ROWS_AT_ONCE = 250_000  # bounds memory, and the length of one landing file
PROVIDERS = {"anthropic": "msg_", "openai": "chatcmpl-", "google": "gen-", "mistral": "cmpl-", "deepseek": "ds-"}

# Habits: app-eu writes local time, workers count tokens the Anthropic way, the gateway writes createdAt and shouts PROD.
APP_US, APP_EU, WORKERS, GATEWAY = range(4)
STAMP = f"""strftime(case when sender = {APP_EU} then at_utc + interval 1 hour else at_utc end, '%Y-%m-%dT%H:%M:%S.%f')
    || case when sender = {APP_EU} then '+01:00' else 'Z' end"""
EXCLUSIVE = f"(sender = {WORKERS} and provider = 'anthropic')"
CACHE_PARTS = "(coalesce(cache_read, 0) + coalesce(cache_write, 0))"
METADATA = f"""case when noted_tenant is not null then '{{"tenantId":"' || noted_tenant || '"}}'
    when sender = {APP_US} then '{{"appVersion":"4.' || request % 7 || '"}}' end"""

# Field, how it stands in JSON, and its SQL over the day's columns.
FIELDS = (
    ("externalRequestId", "text", "'req-' || origin || '-' || lpad(request::varchar, 8, '0')"),
    ("occurredAt", "text", f"case when sender <> {GATEWAY} then {STAMP} end"),
    ("createdAt", "text", f"case when sender = {GATEWAY} then {STAMP} end"),
    ("provider", "text", "provider"),
    ("model", "text", "model"),
    ("status", "text", "case when error_code is null then 'success' else 'error' end"),
    ("errorCode", "text", "error_code"),
    ("httpStatus", "number", "http_status"),
    ("endpointTag", "text", "endpoint"),
    ("promptVersion", "text", "version"),
    ("featureTag", "text", "feature"),
    ("tenantId", "text", "tenant"),
    ("userId", "text", "user_name"),
    ("environment", "text", f"case sender when {APP_US} then nullif(environment, 'prod') when {GATEWAY} then upper(environment) "
                            "else environment end"),
    ("dataMode", "text", f"case when sender = {APP_EU} then nullif(data_mode, 'real') else data_mode end"),
    ("inputTokens", "number", f"case when {EXCLUSIVE} then input - {CACHE_PARTS} else input end"),
    ("outputTokens", "number", "output"),
    ("totalTokens", "number", f"case when total_stated and not {EXCLUSIVE} then input + output end"),
    ("cacheReadTokens", "number", "cache_read"),
    ("cacheWriteTokens", "number", "cache_write"),
    ("cacheWrite1hTokens", "number", "cache_write_1h"),
    ("reasoningTokens", "number", "reasoning"),
    ("webSearches", "number", "searches"),
    ("tokenConvention", "text", f"case when {EXCLUSIVE} then 'exclusive' end"),
    ("usageSource", "text", f"case when usage = {ESTIMATE} then 'estimate' when input is not null and request % 3 = 0 "
                            "then 'provider' end"),
    ("attempt", "number", "case when attempt_stated then attempt end"),
    ("providerRequestId", "text", "case when id_stated then id_prefix || lower(hex(call_key)) end"),
    ("processing", "text", f"case when batch then 'batch' when sender = {WORKERS} then 'realtime' end"),
    ("serviceTier", "text", "served_tier"),
    ("requestedServiceTier", "text", "asked_tier"),
    ("region", "text", f"case when sender = {APP_EU} and provider = 'google' then 'europe-west1' end"),
    ("latencyMs", "number", "latency"),
    ("costUsd", "number", "case when not isnan(stated_cost) then round(stated_cost, 6) end"),
    ("metadata", "json", METADATA),
    ("gatewayRoute", "text", f"case when sender = {GATEWAY} then 'route-' || request % 4 end"),
)  # fmt: skip


def _line() -> str:
    quoted = {"text": ('"', " || '\"'"), "number": ("", ""), "json": ("", "")}
    parts = (f"'\"{name}\":{quoted[kind][0]}' || ({sql}){quoted[kind][1]}" for name, kind, sql in FIELDS)
    return f"select '{{' || concat_ws(',', {', '.join(parts)}) || '}}' || chr(10) as line from day"


LINES = _line()
COLUMNS = "select " + ", ".join(f'({sql}) as "{name}"' for name, _, sql in FIELDS) + " from day"


def connect() -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB that renders rows in their order."""
    return duckdb.connect(config={"preserve_insertion_order": True})


def _labels(codes: np.ndarray, names: list[str]) -> pa.Array:
    codes = np.asarray(codes, dtype=np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), pa.array(names, pa.string()))


def _counts(values: pd.Series) -> pa.Array:
    numbers = values.to_numpy().astype(np.int64)
    return pa.array(numbers, mask=numbers < 0)


def _day_table(world: World, rows: pd.DataFrame) -> pa.Table:
    """The rows' codes as names, absent values as nulls: what FIELDS speak of."""
    model, shown = rows["model"].to_numpy(), rows["shown_endpoint"].to_numpy()
    names = {
        "provider": (model, [each.provider for each in MODELS]),
        "model": (model, [each.name for each in MODELS]),
        "id_prefix": (model, [PROVIDERS.get(each.provider, "call-") for each in MODELS]),
        "error_code": (rows["error"], [name for name, _ in ERRORS]),
        "http_status": (rows["error"], [str(status) for _, status in ERRORS]),
        "endpoint": (shown, [each.name for each in ENDPOINTS]),
        "feature": (rows["shown_feature"], [each.feature for each in ENDPOINTS]),
        "version": (rows["shown_version"], list(world.labels)),
        "tenant": (rows["shown_tenant"], list(world.tenants)),
        "noted_tenant": (rows["noted_tenant"], list(world.tenants)),
        "user_name": (rows["shown_user"], [*world.users, SERVICE_ACCOUNT]),
        "environment": (rows["environment"], list(ENVIRONMENTS)),
        "data_mode": (rows["data_mode"], list(DATA_MODES)),
        "served_tier": (rows["served_tier"], list(TIERS)),
        "asked_tier": (rows["asked_tier"], list(TIERS)),
    }
    columns = {name: _labels(codes, values) for name, (codes, values) in names.items()}
    for name in ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning", "searches"):
        columns[name] = _counts(rows[name])
    for name in ("request", "attempt", "origin", "sender", "usage", "latency", "stated_cost", "call_key"):
        columns[name] = pa.array(rows[name].to_numpy())
    for name in ("batch", "total_stated", "attempt_stated", "id_stated"):
        columns[name] = pa.array(rows[name].to_numpy())
    columns["at_utc"] = pa.array(rows["at"].to_numpy()).cast(pa.timestamp("us"))
    return pa.table(columns)


def lines(database: duckdb.DuckDBPyConnection, world: World, rows: pd.DataFrame) -> tuple[np.ndarray, memoryview]:
    """The rows as JSON lines: the text of all, and where each line starts (one more entry: the end)."""
    database.register("day", _day_table(world, rows))
    text = database.execute(LINES).to_arrow_table()["line"].combine_chunks()
    text = text.chunk(0) if isinstance(text, pa.ChunkedArray) else text
    text = text.cast(pa.large_string())
    starts = np.frombuffer(text.buffers()[1], dtype=np.int64)[text.offset : text.offset + len(text) + 1]
    return starts, memoryview(text.buffers()[2] or b"")


def table(database: duckdb.DuckDBPyConnection, world: World, rows: pd.DataFrame) -> pa.Table:
    """The rows as a table in the native field names."""
    database.register("day", _day_table(world, rows))
    return database.execute(COLUMNS).to_arrow_table()


def encoded(extension: str, content: bytes | pa.Table) -> bytes:
    """The bytes of a landing file; the same content always gives the same bytes."""
    if extension == "jsonl":
        return content
    if extension == "jsonl.gz":
        return gzip.compress(content, compresslevel=1, mtime=0)
    buffer = BytesIO()
    {"parquet": pa.parquet.write_table, "csv": pa.csv.write_csv}[extension](content, buffer)
    return buffer.getvalue()


def write(path: Path, content: bytes) -> None:
    """Writes a landing file at once: loaders ignore names that begin with a dot, so none sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def windows(sizes: list[int]) -> Iterator[tuple[int, int]]:
    """Ranges of consecutive files whose rows are rendered together, at most ROWS_AT_ONCE unless one file is longer."""
    first, rows = 0, 0
    for index, size in enumerate(sizes):
        if rows and rows + size > ROWS_AT_ONCE:
            yield first, index
            first, rows = index, 0
        rows += size
    if sizes:
        yield first, len(sizes)
