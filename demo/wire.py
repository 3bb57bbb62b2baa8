"""How senders write an event: native camelCase fields, each sender with habits of its own. Null fields are left out."""

import gzip
import itertools
import json
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from demo.traffic import ABSENT, DATA_MODES, ENVIRONMENTS, ERRORS, ESTIMATE, HOUR, TIERS
from demo.world import ENDPOINTS, MODELS, SERVICE_ACCOUNT, World
from orchestration.storage import written_whole

ROWS_AT_ONCE = 50_000  # rendered together: bounds memory, and buffers of this size are reused instead of mapped anew
ID_PREFIXES = {"anthropic": "msg_", "openai": "chatcmpl-", "google": "gen-", "mistral": "cmpl-", "deepseek": "ds-"}

# Habits: app-eu writes local time and leaves out dataMode real, app-us leaves out environment prod, workers count
# tokens the Anthropic way, the gateway writes createdAt, shouts PROD and adds a field of its own. Only app-eu and the
# gateway know which account they call on.
APP_US, APP_EU, WORKERS, GATEWAY = range(4)
STAMPS = ('"occurredAt":"', '"occurredAt":"', '"occurredAt":"', '"createdAt":"')
ZONES = ('Z"', '+01:00"', 'Z"', 'Z"')

# What each number is called; absent numbers are null and leave no trace in the line.
NUMBERS = {
    "input": "inputTokens",
    "output": "outputTokens",
    "total": "totalTokens",
    "cache_read": "cacheReadTokens",
    "cache_write": "cacheWriteTokens",
    "cache_write_1h": "cacheWrite1hTokens",
    "reasoning": "reasoningTokens",
    "searches": "webSearches",
    "attempt": "attempt",
    "latency": "latencyMs",
    "cost": "costUsd",
}
TEXTS = (
    "model",
    "outcome",
    "endpoint",
    "version",
    "feature",
    "tenant",
    "user",
    "setting",
    "counting",
    "service",
    "account",
    "note",
)
NUMBER_PIECES = ", ".join(f"""'"{name}":' || {column}""" for column, name in NUMBERS.items())
LINES = f"""
    select '{{' || concat_ws(
        ',', id_start || lpad(request::varchar, 8, '0') || '"',
        stamp || strftime(local_time, '%Y-%m-%dT%H:%M:%S.%f') || zone,
        {", ".join(f'"{name}"' for name in TEXTS)}, call_id || lower(hex(call_key)) || '"', {NUMBER_PIECES}
    ) || '}}' || chr(10) as line
    from day"""  # noqa: S608 (made of constants)
TABLE_FIELDS = """
    externalRequestId occurredAt createdAt provider model status errorCode endpointTag promptVersion featureTag tenantId
    userId environment dataMode tokenConvention usageSource processing serviceTier requestedServiceTier region
    billingAccountId providerRequestId metadata gatewayRoute
"""
TABLE_TYPES = {
    **dict.fromkeys(TABLE_FIELDS.split(), "VARCHAR"),
    **dict.fromkeys(["httpStatus", *NUMBERS.values()], "BIGINT"),
    "costUsd": "DOUBLE",
    "metadata": "JSON",
}


def connect() -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB that renders rows in their order; the other core simulates the next day meanwhile."""
    return duckdb.connect(config={"threads": 1, "arrow_large_buffer_size": True})


def fields(**values: str | int | None) -> str | None:
    """A piece of a JSON line: the fields that are not None; None when there are none."""
    return (
        json.dumps({name: value for name, value in values.items() if value is not None}, separators=(",", ":"))[1:-1]
        or None
    )


def _pieces(codes: np.ndarray, pieces: list[str | None] | pa.Array) -> pa.Array:
    """Each row's piece of its line; a negative code has none."""
    codes = np.asarray(codes, dtype=np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), pa.array(pieces, pa.string()))


@cache
def _members(world: World) -> tuple[pa.Array, pa.Array]:
    """The pieces that name tenants and users: many at scale, so made once."""
    tenants = [fields(tenantId=name) for name in world.tenants]
    return pa.array(tenants), pa.array([fields(userId=name) for name in (*world.users, SERVICE_ACCOUNT)])


def _numbers(values: np.ndarray) -> pa.Array:
    return pa.array(values, mask=values < 0)


def _day_table(world: World, rows: pd.DataFrame) -> pa.Table:
    """The rows as the pieces of their lines: what LINES puts together."""
    sender, model = rows["sender"].to_numpy().astype(np.int32), rows["model"].to_numpy()
    tenants, users = _members(world)
    days, day_of = np.unique(rows["origin"].to_numpy(), return_inverse=True)
    columns = {
        "request": rows["request"].to_numpy(),
        "id_start": _pieces(day_of, [f'"externalRequestId":"req-{day}-' for day in days]),
        "stamp": _pieces(sender, list(STAMPS)),
        "local_time": pa.array(rows["at"].to_numpy() + (sender == APP_EU) * HOUR).cast(pa.timestamp("us")),
        "zone": _pieces(sender, list(ZONES)),
        "model": _pieces(model, [fields(provider=each.provider, model=each.name) for each in MODELS]),
        "outcome": _pieces(
            rows["error"].to_numpy() + 1,
            [
                fields(status="success"),
                *(fields(status="error", errorCode=code, httpStatus=http) for code, http in ERRORS),
            ],
        ),
        "endpoint": _pieces(rows["shown_endpoint"], [fields(endpointTag=each.name) for each in ENDPOINTS]),
        "version": _pieces(rows["shown_version"], [fields(promptVersion=label) for label in list(world.labels)]),
        "feature": _pieces(rows["shown_feature"], [fields(featureTag=each.feature) for each in ENDPOINTS]),
        "tenant": _pieces(rows["shown_tenant"], tenants),
        "user": _pieces(rows["shown_user"], users),
        "setting": _settings(sender, rows),
        "service": _services(sender, rows),
        "account": _accounts(sender, model),
        "note": _notes(world, sender, rows),
        "call_id": _pieces(
            np.where(rows["id_stated"], model, ABSENT),
            [f'"providerRequestId":"{ID_PREFIXES.get(each.provider, "call-")}' for each in MODELS],
        ),
        "call_key": rows["call_key"].to_numpy(),
    }
    return pa.table(columns | _usage(sender, rows))


def _usage(sender: np.ndarray, rows: pd.DataFrame) -> dict[str, pa.Array]:
    """Token counts in the sender's convention, who counted them, and the call's other numbers."""
    provider = np.array([each.provider for each in MODELS])[rows["model"]]
    exclusive = (sender == WORKERS) & (provider == "anthropic")
    count = {name: rows[name].to_numpy().astype(np.int64) for name in NUMBERS if name in rows}
    known = count["input"] >= 0
    count["total"] = np.where(
        rows["total_stated"] & ~exclusive & known, count["input"] + count["output"].clip(0), ABSENT
    )
    cached = count["cache_read"].clip(0) + count["cache_write"].clip(0)
    count["input"] = count["input"] - np.where(exclusive & known, cached, 0)
    count["attempt"] = np.where(rows["attempt_stated"], count["attempt"], ABSENT)
    cost = np.round(rows["stated_cost"].to_numpy(), 6)
    says = np.select([rows["usage"] == ESTIMATE, known & (rows["request"] % 3 == 0)], [1, 2], 0)
    kinds = [(convention, source) for convention in (None, "exclusive") for source in (None, "estimate", "provider")]
    counting = _pieces(exclusive * 3 + says, [fields(tokenConvention=one, usageSource=two) for one, two in kinds])
    numbers = {name: _numbers(values) for name, values in count.items()}
    return numbers | {"cost": pa.array(cost, mask=np.isnan(cost)), "counting": counting}


def _settings(sender: np.ndarray, rows: pd.DataFrame) -> pa.Array:
    """Environment and data mode, each sender in its own manner."""
    habits = {
        APP_US: lambda environment, mode: (None if environment == "prod" else environment, mode),
        APP_EU: lambda environment, mode: (environment, None if mode == "real" else mode),
        WORKERS: lambda environment, mode: (environment, mode),
        GATEWAY: lambda environment, mode: (environment.upper(), mode),
    }
    shown = [habits[who](where, mode) for who in habits for where in ENVIRONMENTS for mode in DATA_MODES]
    code = (sender * len(ENVIRONMENTS) + rows["environment"].to_numpy()) * len(DATA_MODES) + rows[
        "data_mode"
    ].to_numpy()
    return _pieces(code, [fields(environment=where, dataMode=mode) for where, mode in shown])


def _services(sender: np.ndarray, rows: pd.DataFrame) -> pa.Array:
    """What else moves a price: batch or not, the tier that served the call and the one it asked for, the region."""
    batch = np.where(rows["batch"], 2, sender == WORKERS)
    abroad = (sender == APP_EU) & np.isin(
        rows["model"], [code for code, each in enumerate(MODELS) if each.provider == "google"]
    )
    tiers = (None, *TIERS)
    kinds = itertools.product((None, "realtime", "batch"), tiers, tiers, (None, "europe-west1"))
    code = (batch * 4 + rows["served_tier"].to_numpy() + 1) * 4 + rows["asked_tier"].to_numpy() + 1
    return _pieces(
        code * 2 + abroad,
        [
            fields(processing=how, serviceTier=served, requestedServiceTier=asked, region=where)
            for how, served, asked, where in kinds
        ],
    )


def _accounts(sender: np.ndarray, model: np.ndarray) -> pa.Array:
    """The account at the provider, where the sender knows it."""
    region = np.select([sender == APP_EU, sender == GATEWAY], [0, 1], ABSENT)
    names = [f"{each.provider}-{region}" for region in ("eu", "main") for each in MODELS]
    return _pieces(
        np.where(region >= 0, region * len(MODELS) + model, ABSENT), [fields(billingAccountId=name) for name in names]
    )


def _notes(world: World, sender: np.ndarray, rows: pd.DataFrame) -> pa.Array:
    """What has no field: a tenant named in metadata only, an app version, a field no contract knows."""
    request, noted = rows["request"].to_numpy(), rows["noted_tenant"].to_numpy()
    pieces = [fields(metadata={"tenantId": name}) for name in world.tenants]
    pieces += [fields(metadata={"appVersion": f"4.{minor}"}) for minor in range(7)]
    pieces += [fields(gatewayRoute=f"route-{number}") for number in range(4)]
    tenants = len(world.tenants)
    usual = np.select([sender == APP_US, sender == GATEWAY], [tenants + request % 7, tenants + 7 + request % 4], ABSENT)
    return _pieces(np.where(noted >= 0, noted, usual), pieces)


@dataclass(frozen=True)
class Lines:
    """Rendered JSON lines: their text and where each starts (one more entry: the end)."""

    text: memoryview
    starts: np.ndarray

    def between(self, first: int, last: int) -> memoryview:
        """The text of lines first..last, the last one excluded."""
        return self.text[self.starts[first] : self.starts[last]]


def lines(database: duckdb.DuckDBPyConnection, world: World, rows: pd.DataFrame) -> Lines:
    """The rows as JSON lines, in their order."""
    database.register("day", _day_table(world, rows))
    text = database.execute(LINES).to_arrow_table()["line"].combine_chunks()
    starts = np.frombuffer(text.buffers()[1], dtype=np.int64)[text.offset : text.offset + len(text) + 1]
    return Lines(memoryview(text.buffers()[2]), starts)


def table(database: duckdb.DuckDBPyConnection, world: World, rows: pd.DataFrame) -> pa.Table:
    """The same lines as a table of the native fields."""
    database.register("day", _day_table(world, rows))
    types = json.dumps(TABLE_TYPES)
    return database.execute(f"select unnest(from_json(line, '{types}')) from ({LINES})").to_arrow_table()  # noqa: S608


def encoded(extension: str, parts: list) -> list:
    """What to write into a landing file; the same parts always give the same bytes."""
    if extension == "jsonl":
        return parts
    if extension == "jsonl.gz":
        return [gzip.compress(b"".join(parts), compresslevel=1, mtime=0)]
    buffer = BytesIO()
    {"parquet": pa.parquet.write_table, "csv": pa.csv.write_csv}[extension](pa.concat_tables(parts), buffer)
    return [buffer.getvalue()]


def write(path: Path, parts: list) -> None:
    """Writes a landing file at once: loaders ignore names that begin with a dot, so none sees half a file."""
    with written_whole(path) as partial, partial.open("wb") as file:
        file.writelines(parts)
