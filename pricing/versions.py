"""A version of the price book: what names it, its rows, and who recorded each of them.

A version is a catalogue release, the content of the overrides, and the code that compiles them with its corrections.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import pyarrow as pa

from pricing import corrections
from pricing.catalogue import CATALOGUE_VERSION
from pricing.compiler import compile_key
from pricing.overrides import Overrides
from pricing.rows import PriceKey, Row, intervals
from pricing.units import LEAVES


class _Inputs(TypedDict):
    format: int
    catalogue_version: str
    overrides_hash: str
    compiler_version: str


class Version(_Inputs):
    """A line of versions.jsonl: a version, when it was made, and what it was made of."""

    price_book_version: str
    recorded_at: str


KEY_SCHEMA = [(name, pa.string()) for name in PriceKey._fields]
SCHEMA = pa.schema(
    [
        ("price_row_key", pa.string()),
        *KEY_SCHEMA,
        ("tenant_id", pa.string()),
        ("price_provider_id", pa.string()),
        ("price_model_id", pa.string()),
        ("resolution", pa.string()),
        ("valid_from", pa.timestamp("us")),
        ("valid_to", pa.timestamp("us")),
        ("day_second_from", pa.int32()),
        ("day_second_to", pa.int32()),
        ("input_tokens_from", pa.int64()),
        ("input_tokens_to", pa.int64()),
        *((leaf.price_column, pa.decimal128(23, 18)) for leaf in LEAVES),
        ("other_prices", pa.string()),
        ("fallback_leaves", pa.list_(pa.string())),
        ("variant", pa.string()),
        ("missing_variant", pa.string()),
        ("approximate_reason", pa.string()),
        ("source", pa.string()),
        ("adjustments", pa.list_(pa.string())),
        ("approved_by", pa.string()),
        ("catalogue_version", pa.string()),
        ("price_book_version", pa.string()),
        ("recorded_at", pa.timestamp("us")),
        ("suggestions", pa.list_(pa.string())),
    ]
)

# Raised when the meaning of rows changes; columns that are only added need no new number.
FORMAT = 1


def version_entry(overrides: Overrides) -> Version:
    """The version that these overrides make with this catalogue and this code; `recorded_at` is now (UTC)."""
    parts: _Inputs = {
        "format": FORMAT,
        "catalogue_version": CATALOGUE_VERSION,
        "overrides_hash": overrides.content_hash,
        "compiler_version": _compiler_version(),
    }
    version = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
    recorded_at = f"{_now().isoformat(timespec='microseconds')}Z"
    return {"price_book_version": version, "recorded_at": recorded_at, **parts}


def _compiler_version() -> str:
    """Hash of the code that makes rows and of the corrections that ship with it: nobody has to remember to raise a number."""
    here = Path(__file__).parent
    modules = (
        "units",
        "rows",
        "names",
        "corrections",
        "catalogue",
        "overrides",
        "override_entries",
        "override_files",
        "compiler",
        "suggestions",
    )
    sources = [here / f"{name}.py" for name in modules]
    content = [*(source.read_bytes() for source in sources), corrections.content_hash().encode()]
    return hashlib.sha256(b"".join(content)).hexdigest()[:12]


def rows_of_version(
    keys: Sequence[PriceKey], overrides: Overrides, version: str, before: dict[str, list[Row]]
) -> pa.Table:
    """The rows of price keys that a version lacks; `before` has, by row key, when the version current until now had that price.

    Raises UnrepresentableError when the catalogue has a price that rows cannot express.
    """
    now = {"price_book_version": version, "recorded_at": _now()}
    rows = [
        piece
        for key in keys
        for row in compile_key(key, overrides)
        for piece in _recorded(
            {**row, "catalogue_version": CATALOGUE_VERSION}, before.get(row["price_row_key"], []), now
        )
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _recorded(row: Row, before: list[Row], now: Row) -> list[Row]:
    """A row in pieces: where the version before had the same price, who recorded it stays; elsewhere it is `now`."""
    bounds = [bound for had in before for bound in (had["valid_from"], had["valid_to"]) if _is_within(bound, row)]
    pieces: list[Row] = []
    for start, end in intervals(bounds, row["valid_from"], row["valid_to"]):
        had = next((had for had in before if _covers(had, start, end)), None)
        record = {name: had[name] for name in now} if had else now
        if pieces and pieces[-1].items() >= record.items():
            pieces[-1]["valid_to"] = end
        else:
            pieces.append({**row, **record, "valid_from": start, "valid_to": end})
    return pieces


def _is_within(bound: datetime | None, row: Row) -> bool:
    begun = bound is not None and (row["valid_from"] is None or row["valid_from"] < bound)
    return begun and (row["valid_to"] is None or bound < row["valid_to"])


def _covers(had: Row, start: datetime | None, end: datetime | None) -> bool:
    begun = had["valid_from"] is None or (start is not None and had["valid_from"] <= start)
    return begun and (had["valid_to"] is None or (end is not None and end <= had["valid_to"]))


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
