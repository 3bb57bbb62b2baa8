"""The price book in the ledger: every price key seen, resolved to rows, append-only by version.

A version is a catalogue release, the content of the overrides, and the code that compiles them with its corrections. `versions.jsonl` names
them in the order in which they came into force, with the format of their rows; the last line is the current one.
`<version>/part-*.parquet` holds the rows. A price key that is seen for the first time appends a part to the current
version. Parts and the list are put in place by rename, and a version that the list does not name does not exist: a
crash at any point leaves a whole book.
"""

import hashlib
import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import duckdb
import pyarrow as pa
import pyarrow.dataset as dataset
import pyarrow.parquet as pq
from filelock import FileLock

from orchestration.settings import Settings
from pricing import corrections
from pricing.catalogue import CATALOGUE_VERSION, compile_catalogue
from pricing.compiler import compile_key
from pricing.overrides import Overrides, load_overrides
from pricing.rows import PriceKey, Row, intervals
from pricing.units import LEAVES

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

# Raised when rows come to mean something else than before; columns that are only added need no new number.
FORMAT = 1

Version = dict[str, str | int]
STRETCH = ["price_row_key", "valid_from", "valid_to", "price_book_version", "recorded_at"]


class PriceBookError(ValueError):
    """The price book in the ledger cannot be read by this release, or lacks rows: the sentence says what to do."""


@dataclass(frozen=True)
class PriceBook:
    """The current version after an update: rows in it, keys added now, and (provider, model) pairs without a price."""

    version: str
    rows: int
    new_keys: int
    unknown: tuple[tuple[str, str], ...]

    def summary(self) -> dict[str, str | int | list[str]]:
        """For run metadata."""
        return {
            "price_book_version": self.version,
            "price_rows": self.rows,
            "new_price_keys": self.new_keys,
            "unknown_models": [f"{provider}/{model}" for provider, model in self.unknown],
        }


def seen_price_keys(settings: Settings) -> list[PriceKey]:
    """The distinct price keys of all loads, sorted; loads that a compaction repeats are read there."""
    manifests = [str(path) for path in sorted((settings.raw / "_loads").glob("*.parquet"))]
    if not manifests:
        return []
    with duckdb.connect() as engine:
        keys = engine.execute(
            """
            with loads as (
                from (select cast(null as varchar[]) as supersedes where false)
                union all by name
                from read_parquet($manifests, union_by_name = true)
            )
            select unnest(price_keys, recursive := true) from loads
            where load_id not in (select unnest(supersedes) from loads)
            """,
            {"manifests": manifests},
        )
        columns = [column[0] for column in keys.description]
        found = {PriceKey(**dict(zip(columns, row, strict=True))) for row in keys.fetchall()}
    return sorted(found, key=_with_nulls_first)


def update_price_book(settings: Settings, home: Path | None = None) -> PriceBook:
    """Resolve the price keys that the current version lacks; writes nothing when there are none and it is in force.

    `home` is the folder of the book, the ledger's unless a trial is made elsewhere. Raises OverrideError when the
    overrides are wrong, UnrepresentableError when the catalogue has what no row can say, PriceBookError when the book
    cannot be read: it stays as it was.
    """
    overrides = load_overrides(settings.overrides)
    entry, home = version_entry(overrides), home or book_home(settings)
    version, folder = entry["price_book_version"], home / entry["price_book_version"]
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / ".lock"):
        listed = versions(home)
        if version not in [line["price_book_version"] for line in listed]:
            deque(compile_catalogue(), maxlen=0)  # what the book cannot hold stops it, whether it was seen or not
            shutil.rmtree(folder, ignore_errors=True)  # left by a crash: never in force, so nothing refers to it
        known = _read(folder, [*PriceKey._fields]) if folder.exists() else None
        new_keys = _keys_not_in(seen_price_keys(settings), known)
        if new_keys or known is None:
            _append_part(folder, _new_rows(new_keys, overrides, version, _stretches(home, listed, version)))
        if not listed or listed[-1]["price_book_version"] != version:
            _append_version(home, listed, entry)
    return _described(folder, version, len(new_keys))


def read_price_book(settings: Settings, version: str | None = None) -> pa.Table:
    """The rows of a version (default: the current one), prices as Decimal; no rows before the first update.

    Raises ValueError when there is no such version.
    """
    home = book_home(settings)
    listed = [line["price_book_version"] for line in versions(home)]
    if version is None:
        return _read(home / listed[-1]) if listed else SCHEMA.empty_table()
    if version not in listed:
        raise ValueError(f"{home} has no price book version {version!r}: it has {', '.join(listed) or 'none'}.")
    return _read(home / version)


def versions(home: Path) -> list[Version]:
    """The lines of versions.jsonl in the order in which the versions came into force; half a line is ignored.

    A line without a format is of the first. Raises PriceBookError when a line names a format that only later code knows.
    """
    path = home / "versions.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    entries = [(number, entry) for number, line in enumerate(lines, 1) if (entry := _json_or_none(line)) is not None]
    for number, entry in entries:
        if entry.get("format", 1) > FORMAT:
            raise PriceBookError(
                f"{path}, line {number}: price book version {entry['price_book_version']} has rows of format "
                f"{entry['format']}, written by a later release; this one reads formats up to {FORMAT}. "
                "Install that release again, or restore the ledger from a backup of before it ran."
            )
    return [entry for _, entry in entries]


def version_entry(overrides: Overrides) -> Version:
    """The version that these overrides make with this catalogue and this code; `recorded_at` is now (UTC)."""
    parts = {
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
    here = Path(corrections.__file__).parent
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


def _new_rows(keys: Sequence[PriceKey], overrides: Overrides, version: str, before: dict[str, list[Row]]) -> pa.Table:
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


def _stretches(home: Path, listed: Sequence[Version], version: str) -> dict[str, list[Row]]:
    """By row key: when the version in force until now had that price, and which version recorded it, and when."""
    found: dict[str, list[Row]] = {}
    if listed and listed[-1]["price_book_version"] != version:
        for row in _read(home / listed[-1]["price_book_version"], STRETCH).to_pylist():
            found.setdefault(row.pop("price_row_key"), []).append(row)
    return found


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


def _described(folder: Path, version: str, new_keys: int) -> PriceBook:
    rows = _read(folder, ["provider", "model", "resolution"])
    unknown = {(row["provider"], row["model"]) for row in rows.to_pylist() if row["resolution"] == "unknown"}
    return PriceBook(version, rows.num_rows, new_keys, tuple(sorted(unknown)))


def _keys_not_in(keys: Sequence[PriceKey], known: pa.Table | None) -> list[PriceKey]:
    resolved = {PriceKey(**row) for row in known.to_pylist()} if known is not None else set()
    return [key for key in keys if key not in resolved]


def _append_part(folder: Path, rows: pa.Table) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"part-{len(list(folder.glob('*.parquet'))):06d}.parquet"
    _replace(part, lambda file: pq.write_table(rows, file, compression="zstd"))


def _append_version(home: Path, listed: Sequence[Version], entry: Version) -> None:
    text = "".join(f"{json.dumps(line)}\n" for line in [*listed, entry])
    _replace(home / "versions.jsonl", lambda file: file.write(text.encode()))


def _replace(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write beside, make durable, rename: readers see the old file or the new one."""
    beside = path.with_name(f".{path.name}.writing")
    with beside.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _read(folder: Path, columns: list[str] | None = None) -> pa.Table:
    # a part of an older release may lack columns, which are then NULL
    schema = SCHEMA if columns is None else pa.schema([SCHEMA.field(name) for name in columns])
    parts = [
        dataset.dataset(part, schema=schema, format="parquet").to_table() for part in sorted(folder.glob("*.parquet"))
    ]
    if not parts:
        raise PriceBookError(
            f"{folder} has no price rows although versions.jsonl names it: restore the ledger from its backup."
        )
    return pa.concat_tables(parts)


def book_home(settings: Settings) -> Path:
    """The folder of the price book in the ledger."""
    return settings.ledger / "price_book"


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _json_or_none(line: str) -> Version | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _with_nulls_first(key: PriceKey) -> list[tuple[bool, str]]:
    return [(part is not None, part or "") for part in key]
