"""Price rows: one price key over a stretch of time, a window of the day and a band of input tokens."""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any, NamedTuple

from pricing.units import LEAF_BY_NAME, LEAVES, OTHER_UNITS, RESTATED, coverage

DAY_SECONDS = 86_400
PRICE_SCALE = Decimal(1).scaleb(-18)
HIGHEST_PRICE = Decimal(99_999)  # DECIMAL(23, 18) keeps five digits before the point

_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

Row = dict[str, Any]


class PriceKey(NamedTuple):
    """What a sender reported that can select a price; `price_context` is a canonical JSON object of strings."""

    provider: str
    model: str
    processing: str | None = None
    service_tier: str | None = None
    region: str | None = None
    price_context: str | None = None

    def __str__(self) -> str:
        return price_name(self.provider, self.model, *self[2:])


def one_spelling(pairs: Mapping[str, str]) -> dict[str, str]:
    """Variants by one spelling, however senders write them: `searchContextSize: Low` is `search_context_size: low`."""
    return {
        _WORD_BEGINS.sub("_", name.strip()).replace("-", "_").lower(): value.strip().lower()
        for name, value in pairs.items()
    }


def price_name(provider: str, model: str, *scope: str | None) -> str:
    """How messages name a price: `openai/gpt-5 (batch)`."""
    given = ", ".join(part for part in scope if part)
    return f"{provider}/{model} ({given})" if given else f"{provider}/{model}"


def per_unit(price: Decimal, per: int) -> Decimal:
    """USD per unit of a price per `per` units, half-up to 18 places. Raises ValueError beyond DECIMAL(23, 18)."""
    exact = price / per
    if not 0 <= exact <= HIGHEST_PRICE:
        raise ValueError(
            f"{price:f} per {per} units is {exact:f} USD per unit: a price lies from 0 to {HIGHEST_PRICE}."
        )
    return exact.quantize(PRICE_SCALE, ROUND_HALF_UP)


def priced_columns(prices: Mapping[str, Decimal], unpriceable: frozenset[str] = frozenset()) -> Row:
    """Price columns of a row from USD per unit by registry unit; `unpriceable` units get no price whatever covers them.

    An attempt pays no request fee where none is charged, so `requests` is 0; a leaf that nothing covers is None.
    """
    leaves, others, fallbacks = coverage(frozenset(prices))
    columns: Row = {leaf.price_column: prices.get(leaves[leaf.name] or "") for leaf in LEAVES}
    columns["billed_requests_price_usd"] = prices.get("requests", Decimal(0).quantize(PRICE_SCALE))
    # What repeats a leaf is priced there.
    texts = {
        name: "0" if name in RESTATED else f"{prices[others[name]].normalize():f}"
        for name in OTHER_UNITS
        if name in others and name not in unpriceable
    }
    columns["other_prices"] = json.dumps(texts, sort_keys=True, separators=(",", ":")) if texts else None
    columns["fallback_leaves"] = fallbacks or None
    return columns


# Of a price that no override touched.
LISTED: Row = {"tenant_id": None, "adjustments": None, "approved_by": None}
NO_PRICES: Row = {leaf.price_column: None for leaf in LEAVES} | {"other_prices": None, "fallback_leaves": None}
EVERYWHERE: Row = {
    "valid_from": None,
    "valid_to": None,
    "day_second_from": 0,
    "day_second_to": DAY_SECONDS,
    "input_tokens_from": 0,
    "input_tokens_to": None,
}
AXES = (("input_tokens_from", "input_tokens_to"), ("day_second_from", "day_second_to"), ("valid_from", "valid_to"))


def intervals(starts: list[Any], first: Any, last: Any) -> list[tuple[Any, Any]]:
    """Half-open intervals from `first` to `last` that begin anew at each start."""
    inner = sorted({start for start in starts if start not in (first, last)})
    return list(pairwise([first, *inner, last]))


def clip(row: Row, start: datetime | None, end: datetime | None) -> Row | None:
    """A row while a stretch of time lasts (None: open); None where they do not meet."""
    latest_start = max((bound for bound in (row["valid_from"], start) if bound is not None), default=None)
    earliest_end = min((bound for bound in (row["valid_to"], end) if bound is not None), default=None)
    if latest_start is not None and earliest_end is not None and latest_start >= earliest_end:
        return None
    return row | {"valid_from": latest_start, "valid_to": earliest_end}


def coalesce(rows: list[Row]) -> list[Row]:
    """The same prices in fewer rows: adjoining rows that differ only in one bound become one."""
    for axis in AXES:
        rows = _coalesce_along(rows, *axis)
    return sorted(rows, key=lambda row: [(row[start] is not None, row[start]) for start, _ in reversed(AXES)])


def _coalesce_along(rows: list[Row], start: str, end: str) -> list[Row]:
    alike: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        alike.setdefault(tuple(value for name, value in row.items() if name not in (start, end)), []).append(row)
    merged = []
    for group in alike.values():
        group.sort(key=lambda row: (row[start] is not None, row[start]))
        run = [group[0].copy()]
        for row in group[1:]:
            if row[start] is not None and run[-1][end] == row[start]:
                run[-1][end] = row[end]
            else:
                run.append(row.copy())
        merged += run
    return merged


# Where a price was written down, and when, changes nothing on an attempt; and since the dates are not part of the key, an
# override of five days leaves the keys of every other day as they were.
NOT_IN_ROW_KEY = ("valid_from", "valid_to", "source", "adjustments", "approved_by", "catalogue_version", "suggestions")
# What came after the first books: a row that says nothing there keeps the key that it had. A token kind that falls back
# says nothing, since its price follows from the others, and neither does any where all is free.
ADDED_LATER = ("approximate_reason", *(leaf.price_column for leaf in LEAVES if leaf.is_added_later))


def row_key(row: Row) -> str:
    """Content hash of a row: the price key and everything of the row that reaches an attempt, its dates apart."""
    fallbacks = row["fallback_leaves"] or ()
    is_free = not any(row.get(leaf.price_column) for leaf in LEAVES)
    unsaid = [leaf for leaf in LEAVES if leaf.is_added_later and (is_free or leaf.name in fallbacks)]
    row = row | dict.fromkeys((leaf.price_column for leaf in unsaid), None)
    row["fallback_leaves"] = tuple(name for name in fallbacks if LEAF_BY_NAME[name] not in unsaid) or None
    content = {
        name: value
        for name, value in sorted(row.items())
        if name not in NOT_IN_ROW_KEY and not (name in ADDED_LATER and value is None)
    }
    return hashlib.sha256(json.dumps(content, default=_text).encode()).hexdigest()[:32]


def _text(value: Any) -> str:
    # 0 and 0.000 are one price, and one instant has one spelling
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value.isoformat()
