"""A landed invoice as its items: whose it is, and each record with the page and the bucket around it, every number as written.

Amounts never pass through a float: numbers are read as their texts, from JSON too.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import PurePosixPath
from typing import Any

from orchestration.landing.invoice_kinds import AMOUNTS, TEXTS, TIMES, Kind, plain_name

FOLDER = "invoices"
# Column -> type, in the order of the raw files. event_date, the first day of the billing month, is the hive column.
RAW_COLUMNS = {
    **dict.fromkeys(("vendor", "account", "source_kind", "grouping"), "VARCHAR"),
    "preference": "INTEGER",
    **dict.fromkeys(("is_usage", "is_overlapping", "names_models"), "BOOLEAN"),
    "finality": "VARCHAR",
    **dict.fromkeys(("period_start", "period_end"), "TIMESTAMP"),
    "billing_month": "DATE",
    **dict.fromkeys(TIMES, "TIMESTAMP"),
    "is_month_only": "BOOLEAN",
    **dict.fromkeys(TEXTS, "VARCHAR"),
    "currency": "VARCHAR",
    **dict.fromkeys(AMOUNTS, "DECIMAL(38, 12)"),
    **{f"{name}_at_vendor_rate_usd": "DECIMAL(38, 12)" for name in AMOUNTS},
    "vendor_fx_rate": "DECIMAL(18, 12)",
    "counts": "VARCHAR",
    "content_hash": "VARCHAR",
    "line_number": "BIGINT",
    "item": "BIGINT",
    "load_id": "VARCHAR",
}
PLACES = ("page", "bucket", "part", "also", "also_amount")  # what a record's expressions find besides its own names
ABSENT = ("", "NULL", "null")  # as tables write that there is nothing


@dataclass
class Item:
    """One item of a line: a record of its kind, or with `is_empty` a bucket without one."""

    kind: Kind
    record: dict[str, Any]
    is_empty: bool = False
    grouping: str = ""
    text: str = field(default="", repr=False)


class NotRecognised(ValueError):  # noqa: N818
    """A line that no kind of its vendor reads, with what was found in it."""


def account_of(path: str) -> tuple[str, str] | None:
    """(vendor, account) of a landing file: invoices/<vendor>/<account>/dt=.../<name>."""
    parts = PurePosixPath(path).parts
    if len(parts) < 4 or parts[0] != FOLDER or any(part.startswith("dt=") for part in parts[1:3]):
        return None
    return parts[1].lower(), parts[2]


def problem_of_path(path: str) -> str | None:
    """The sentence on a file of invoices that is not in the folder of an account; None for one that is."""
    if account_of(path):
        return None
    return "its folder names no vendor and account: invoices are landed as invoices/<vendor>/<account>/dt=YYYY-MM-DD/<name>"


def content_of(path: str, content_hash: str) -> str:
    """The hash of a content in its account: two accounts may have the same page."""
    account = account_of(path)
    return hashlib.sha256("\n".join([*(account or ()), content_hash]).encode()).hexdigest()


def parsed(line: str) -> Any:
    """The JSON of a line, numbers as texts. Raises ValueError."""
    return json.loads(line, parse_float=str, parse_int=str, parse_constant=lambda _: None)


def items_of(line: str, kinds: list[Kind], stem: str) -> list[Item]:
    """The items of a line, in their order. Raises NotRecognised, and ValueError for what is not JSON."""
    document = parsed(line)
    if isinstance(document, list):
        return [item for each in document if isinstance(each, dict) for item in _items(each, kinds, stem)]
    if not isinstance(document, dict):
        raise NotRecognised("it is JSON but no object")
    return _items(document, kinds, stem)


def _items(document: dict[str, Any], kinds: list[Kind], stem: str) -> list[Item]:
    best, empty = None, None
    for kind in kinds:
        records = list(_records(_in_its_names(document, kind), kind))
        filled = [record for record, is_empty in records if not is_empty]
        if not filled and records and (_fits_name(kind, stem) or _is_of(kind, records[0][0])):
            empty = empty or (kind, records)
        if any(_is_of(kind, record) for record in filled):
            best = (kind, records)
            break
    if best is None and empty is None:
        raise NotRecognised(_found(document, kinds))
    kind, records = best or empty or (kinds[0], [])
    grouping = grouping_of(kind, [record for record, is_empty in records if not is_empty])
    return [
        Item(kind, {name: _written(value) for name, value in record.items()}, is_empty, grouping)
        for record, is_empty in records
    ]


def _in_its_names(document: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """A row with the columns as its kind writes them: exports differ in case, underscores and blanks."""
    if () not in kind.items or (kind.recognised_by <= document.keys() and kind.names >= document.keys()):
        return document
    known = {plain_name(name): name for name in kind.names}
    renamed: dict[str, Any] = {}
    for name, value in document.items():
        ours = name if name in kind.names else known.get(plain_name(name), name)
        renamed.setdefault(ours, value)
    return renamed


def _is_of(kind: Kind, record: dict[str, Any]) -> bool:
    if kind.refused_by & record.keys():
        return False
    if kind.is_named and record.get("object") == kind.is_named:
        return True
    says_any = not kind.recognised_by_any or bool(kind.recognised_by_any & record.keys())
    return kind.recognised_by <= record.keys() and says_any


def _fits_name(kind: Kind, stem: str) -> bool:
    """Whether a page of empty buckets alone is of a kind: by its name, since nothing in it says so."""
    return kind.is_usage == ("usage" in stem.lower()) and bool(kind.items[0])


def _found(document: dict[str, Any], kinds: list[Kind]) -> str:
    named = ", ".join(list(document)[:8]) or "nothing"
    if any("credits" in name.lower() for name in document):
        named += ": it counts in credits, which are no money"
    known = ", ".join(kind.name for kind in kinds) or "none"
    return f"it has {named}, which is none of the exports that are read here ({known})"


def _records(document: dict[str, Any], kind: Kind) -> Iterator[tuple[dict[str, Any], bool]]:
    """(record, whether it is an empty bucket), for each alternative of a kind's items."""
    for levels in kind.items:
        if not levels:
            yield document, all(_written(value) is None for value in document.values())
            for name, amounts in kind.also.items():
                amount = next(filter(None, (_amount_in(document.get(each)) for each in amounts)), None)
                if amount:
                    yield document | {"also": name, "also_amount": amount}, False
        elif len(kind.items) > 1:
            for part in _list(document, levels):
                yield document | {"part": part}, False
        else:
            page = {name: value for name, value in document.items() if not isinstance(value, list | dict)}
            yield from _of_buckets(document, levels, page)


def _of_buckets(document: dict[str, Any], levels: tuple[str, ...], page: dict) -> Iterator[tuple[dict[str, Any], bool]]:
    buckets = document.get(levels[0])
    if buckets is None and len(levels) > 1 and isinstance(document.get(levels[1]), list):
        buckets, page = [document], {}  # a bucket by itself, as connectors land them
    if buckets is None and len(levels) == 1:
        yield document | {"page": {}}, False  # a row by itself
    if buckets == []:
        yield {"page": page}, True
    for bucket in buckets if isinstance(buckets, list) else []:
        if not isinstance(bucket, dict):
            continue
        if len(levels) == 1:
            yield bucket | {"page": page}, False
            continue
        around = {name: value for name, value in bucket.items() if not isinstance(value, list | dict)}
        found = [record for record in _list(bucket, levels[1:]) if isinstance(record, dict)]
        for record in found:
            yield record | {"page": page, "bucket": around}, False
        if not found:
            yield {"page": page, "bucket": around}, True


def _list(value: Any, levels: tuple[str, ...]) -> list[Any]:
    for level in levels:
        value = value.get(level) if isinstance(value, dict) else None
    return value if isinstance(value, list) else []


def _amount_in(value: Any) -> str | None:
    """An amount that is not 0, as it is written; of a map (discounts by name) or a list (credits) of amounts their sum."""
    if isinstance(value, str) and value.startswith(("{", "[")):
        try:
            value = parsed(value)
        except ValueError:
            return value  # refused where it is read as a number
    if isinstance(value, list):
        value = {str(at): each.get("amount") for at, each in enumerate(value) if isinstance(each, dict)}
    if isinstance(value, dict):
        try:
            value = format(sum((Decimal(str(each)) for each in value.values() if each), Decimal(0)), "f")
        except InvalidOperation:
            return str(value)
    return str(value) if value and re.search(r"[1-9]", str(value)) else None


def _written(value: Any) -> Any:
    """A value as expressions see it: blank is absent."""
    if isinstance(value, str):
        return None if value.strip() in ABSENT else value.strip()
    if isinstance(value, bool):
        return str(value).lower()
    return value


def grouping_of(kind: Kind, records: list[dict[str, Any]]) -> str:
    """The columns that some record says something in: those that the export was grouped by."""
    said = Counter(name for record in records for name in kind.grouped_by if record.get(name) not in (None, ""))
    return ",".join(name for name in kind.grouped_by if said[name])
