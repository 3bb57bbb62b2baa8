"""A landed line of an invoice as its items: each record with the page and the bucket around it, every number as it was written.

Amounts never pass through a float: numbers are read as their texts, from JSON too.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from orchestration.landing.invoice_kinds import Kind

PLACES = ("page", "bucket", "part", "also")  # what a record's expressions find besides its own names


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
        in_case = {name.lower(): value for name, value in document.items()} if kind.in_lower_case else document
        records = list(_records(in_case, kind))
        filled = next((record for record, is_empty in records if not is_empty), None)
        if filled is None and records and _fits_name(kind, stem):
            empty = empty or (kind, records)
        if filled is not None and _is_of(kind, filled):
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


def _is_of(kind: Kind, record: dict[str, Any]) -> bool:
    return kind.recognised_by <= record.keys() and not kind.refused_by & record.keys()


def _fits_name(kind: Kind, stem: str) -> bool:
    """Whether a page of empty buckets alone is of a kind: by its name, since nothing in it says so."""
    return kind.is_usage == ("usage" in stem.lower()) and len(kind.items[0]) > 1


def _found(document: dict[str, Any], kinds: list[Kind]) -> str:
    named = ", ".join(list(document)[:8])
    known = ", ".join(kind.name for kind in kinds) or "none"
    return f"it has {named}, which is none of the exports that are read here ({known})"


def _records(document: dict[str, Any], kind: Kind) -> Iterator[tuple[dict[str, Any], bool]]:
    """(record, whether it is an empty bucket), for each alternative of a kind's items."""
    for levels in kind.items:
        if not levels:
            yield document, False
            for name, amount in kind.also.items():
                if _is_amount(document.get(amount)):
                    yield document | {"also": name}, False
        elif len(kind.items) > 1:
            for part in _list(document, levels):
                yield document | {"part": part}, False
        else:
            page = {name: value for name, value in document.items() if not isinstance(value, list | dict)}
            yield from _of_buckets(document, levels, page)


def _of_buckets(document: dict[str, Any], levels: tuple[str, ...], page: dict) -> Iterator[tuple[dict[str, Any], bool]]:
    buckets = document.get(levels[0])
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


def _is_amount(value: Any) -> bool:
    return bool(re.search(r"[1-9]", str(value))) if value else False


def _written(value: Any) -> Any:
    """A value as expressions see it: blank is absent."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool):
        return str(value).lower()
    return value


def grouping_of(kind: Kind, records: list[dict[str, Any]]) -> str:
    """The columns that some record says something in: those that the export was grouped by."""
    said = Counter(name for record in records for name in kind.grouped_by if record.get(name) not in (None, ""))
    return ",".join(name for name in kind.grouped_by if said[name])
