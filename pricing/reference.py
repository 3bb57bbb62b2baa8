"""The reference price of one attempt in Python `Decimal`: what the SQL must equal to the last digit."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Context, Decimal

from pricing.compiler import compile_key
from pricing.overrides import NO_OVERRIDES, Overrides
from pricing.rows import PriceKey, Row
from pricing.units import LEAVES, Count, Usage, leaves_from, other_from

COST_SCALE = Decimal(1).scaleb(-12)
_MONEY = Context(prec=50, rounding=ROUND_HALF_UP)  # wide enough that only the last step rounds


@dataclass(frozen=True)
class Priced:
    """What an attempt costs: `cost_usd` is the sum of `parts`, or None where `status` is not 'priced'.

    status: 'priced'; 'unpriced' (something used has no price); 'no_usage' (counts that have a price are not known).
    parts: USD by leaf and by other unit, for what is known. row: the price row used.
    """

    cost_usd: Decimal | None
    parts: dict[str, Decimal]
    status: str
    row: Row


def price(
    usage: Usage,
    at: datetime,
    provider: str,
    model: str,
    processing: str | None = None,
    service_tier: str | None = None,
    region: str | None = None,
    price_context: Mapping[str, str] | None = None,
    overrides: Overrides = NO_OVERRIDES,
    tenant: str | None = None,
) -> Priced:
    """Price one attempt made at an instant (no zone means UTC), at the tenant's own prices where it has any.

    Raises ValueError when parts of a count exceed it.
    """
    key = PriceKey(provider, model, processing, service_tier, region, canonical_context(price_context))
    return price_by(compile_key(key, overrides), usage, at, tenant)


def price_by(rows: list[Row], usage: Usage, at: datetime, tenant: str | None = None) -> Priced:
    """The same from the rows of the attempt's price key, compiled once for many attempts."""
    row = row_at(rows, at, usage.total_input_tokens or 0, tenant)
    counts = leaves_from(usage)
    leaves = {leaf.name: (counts[leaf.name], row[leaf.price_column]) for leaf in LEAVES}
    other_prices = json.loads(row["other_prices"] or "{}")
    others = {unit: (count, other_prices.get(unit)) for unit, count in other_from(usage).items()}
    used = {**leaves, **others}
    parts = {name: leaf_cost(count, rate) for name, (count, rate) in used.items() if count and rate is not None}
    status = _status(usage, used)
    return Priced(sum(parts.values(), Decimal(0)) if status == "priced" else None, parts, status, row)


def row_at(rows: list[Row], at: datetime, input_tokens: int, tenant: str | None = None) -> Row:
    """The one row of a key that holds at an instant for a request of that much input: the tenant's own, or everybody's."""
    instant = at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
    second = instant.hour * 3600 + instant.minute * 60 + instant.second
    holding = [
        row
        for row in rows
        if (row["valid_from"] is None or row["valid_from"] <= instant)
        and (row["valid_to"] is None or instant < row["valid_to"])
        and row["day_second_from"] <= second < row["day_second_to"]
        and row["input_tokens_from"] <= input_tokens
        and (row["input_tokens_to"] is None or input_tokens < row["input_tokens_to"])
    ]
    own = [row for row in holding if tenant is not None and row["tenant_id"] == tenant]
    (row,) = own or [row for row in holding if row["tenant_id"] is None]
    return row


def canonical_context(price_context: Mapping[str, str] | None) -> str | None:
    """A price context as price keys have it: JSON with sorted keys, None when there is nothing in it."""
    if not price_context:
        return None
    return json.dumps(dict(price_context), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _status(usage: Usage, used: Mapping[str, tuple[Count | None, Decimal | None]]) -> str:
    if not usage.is_known or any(count is None and rate is not None for count, rate in used.values()):
        return "no_usage"
    return "unpriced" if any(count and rate is None for count, rate in used.values()) else "priced"


def leaf_cost(count: int | Decimal | float, rate: Decimal | str) -> Decimal:
    """USD of a count at a price per unit, half-up to 12 places."""
    exact = _MONEY.multiply(Decimal(str(count)), Decimal(rate))
    return exact.quantize(COST_SCALE, context=_MONEY)
