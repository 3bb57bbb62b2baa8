"""The price book in the ledger: every price key seen, resolved to rows, append-only by version.

`versions.jsonl` names the versions in the order in which they came into force, with the format of their rows; the last line
is the current one, and pricing/versions.py says what makes a version. `<version>/part-*.parquet` holds the rows. A price key
that is seen for the first time appends a part to the current version. Parts and the list are put in place by rename, and a
version that the list does not name does not exist: a crash at any point leaves a whole book.
"""

import json
import shutil
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as dataset
import pyarrow.parquet as pq

from orchestration.settings import Settings
from orchestration.storage import held, write_whole, written_whole
from pricing.catalogue import compile_catalogue
from pricing.overrides import load_overrides
from pricing.rows import PriceKey, Row
from pricing.versions import FORMAT, SCHEMA, Version, rows_of_version, version_entry

WRITER_WAIT_SECONDS = 120  # whoever writes compiles the whole catalogue, some ten seconds
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
    """The distinct price keys of all loads, sorted; loads that a compaction repeats are read there.

    With a key of a batch comes the same in real time, which tells what the batch saved.
    """
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
    found |= {key._replace(processing=None) for key in found if key.processing == "batch"}
    return sorted(found, key=_with_nulls_first)


def update_price_book(settings: Settings, home: Path | None = None) -> PriceBook:
    """Resolve the price keys that the current version lacks; writes nothing when there are none and it is current.

    `home` is the folder of the book, the ledger's unless a trial is made elsewhere. Raises OverrideError when the
    overrides are wrong, UnrepresentableError when the catalogue has what no row can say, PriceBookError when the book
    cannot be read, LockHeldError when another process writes it for two minutes: it stays as it was.
    """
    overrides = load_overrides(settings.overrides)
    entry, home = version_entry(overrides), home or book_home(settings)
    version, folder = entry["price_book_version"], home / entry["price_book_version"]
    home.mkdir(parents=True, exist_ok=True)
    with held(home / "_lock", WRITER_WAIT_SECONDS):
        listed = versions(home)
        if version not in [line["price_book_version"] for line in listed]:
            deque(compile_catalogue(), maxlen=0)  # what the book cannot hold stops it, whether it was seen or not
            shutil.rmtree(folder, ignore_errors=True)  # left by a crash: never current, so nothing refers to it
        known = _read(folder, [*PriceKey._fields]) if folder.exists() else None
        new_keys = _keys_not_in(seen_price_keys(settings), known)
        if new_keys or known is None:
            _append_part(folder, rows_of_version(new_keys, overrides, version, _stretches(home, listed, version)))
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
    """The lines of versions.jsonl in the order in which the versions took effect; an incomplete line is ignored.

    A line without a format is of the first. Raises PriceBookError when a line names a format that only later code knows.
    """
    path = home / "versions.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    entries: list[tuple[int, Version]] = [
        (number, entry) for number, line in enumerate(lines, 1) if (entry := _json_or_none(line)) is not None
    ]
    for number, entry in entries:
        if entry.get("format", 1) > FORMAT:
            raise PriceBookError(
                f"{path}, line {number}: price book version {entry['price_book_version']} has rows of format "
                f"{entry['format']}, written by a later release; this one reads formats up to {FORMAT}. "
                "Install that release again, or restore the ledger from a backup of before it ran."
            )
    return [entry for _, entry in entries]


def _stretches(home: Path, listed: Sequence[Version], version: str) -> dict[str, list[Row]]:
    """By row key: when the version current until now had that price, and which version recorded it, and when."""
    found: dict[str, list[Row]] = {}
    if listed and listed[-1]["price_book_version"] != version:
        for row in _read(home / listed[-1]["price_book_version"], STRETCH).to_pylist():
            found.setdefault(row.pop("price_row_key"), []).append(row)
    return found


def _described(folder: Path, version: str, new_keys: int) -> PriceBook:
    rows = _read(folder, ["provider", "model", "resolution"])
    unknown = {(row["provider"], row["model"]) for row in rows.to_pylist() if row["resolution"] == "unknown"}
    return PriceBook(version, rows.num_rows, new_keys, tuple(sorted(unknown)))


def _keys_not_in(keys: Sequence[PriceKey], known: pa.Table | None) -> list[PriceKey]:
    resolved = {PriceKey(**row) for row in known.to_pylist()} if known is not None else set()
    return [key for key in keys if key not in resolved]


def _append_part(folder: Path, rows: pa.Table) -> None:
    with written_whole(folder / f"part-{len(list(folder.glob('*.parquet'))):06d}.parquet") as partial:
        pq.write_table(rows, partial, compression="zstd")


def _append_version(home: Path, listed: Sequence[Version], entry: Version) -> None:
    text = "".join(f"{json.dumps(line)}\n" for line in [*listed, entry])
    write_whole(home / "versions.jsonl", text)


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


def _json_or_none(line: str) -> Any:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _with_nulls_first(key: PriceKey) -> list[tuple[bool, str]]:
    return [(part is not None, part or "") for part in key]
