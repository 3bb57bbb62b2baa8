"""Which price holds where a team wrote one in `prices/*.yml`: rates, `free`, discounts and uplifts.

An attempt's price is base x discount x uplift, by price column and tier, rounded once, half-up to 18 places.

1. Outside its `from` (inclusive) and `to` (exclusive) an entry says nothing.
2. Base: the winning entry with rates or `free`, else the catalogue, else unknown. Rates replace every price of what
   they cover, batch included: nothing of the catalogue shows through. A leaf they do not name takes the rate of the
   nearest unit they name (reasoning: output); with none, it has no price.
3. Discount: the winning `discount_factor` multiplies a catalogue price, and rates with `is_list_price: true`; other
   written rates are net, and it leaves them alone.
4. Uplift: the winning `uplift_factor` multiplies every base, written rates and discounted prices too.
5. What has no price keeps none, and `free` stays 0, whatever the factors.
6. An entry covers an attempt whose every part equals what the entry gives of tenant, processing, service_tier, region
   and each name in price_context. No reported processing counts as `realtime`. A name is covered as reported or as
   the alias target; by a factor also as the catalogue resolves it. A factor without `model` covers the provider.
7. Among entries of one kind that cover an attempt, the narrowest wins: the one that gives more of tenant, model,
   processing, service_tier, region and names in price_context. At an equal number the first of them, in this order,
   that only one gives decides. At equal scope the reported name beats the alias target beats the catalogue's name.
8. Two of one kind and equal scope may not overlap in time: that is an error which names both.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import partial
from typing import Any

from pricing.catalogue import Resolved, context_of
from pricing.override_entries import NO_OVERRIDES, Alias, Overrides, PriceOverride, holds
from pricing.override_files import OverrideError, load_overrides
from pricing.rows import (
    EVERYWHERE,
    HIGHEST_PRICE,
    LISTED,
    PRICE_SCALE,
    PriceKey,
    Row,
    clip,
    coalesce,
    intervals,
    priced_columns,
)
from pricing.units import LEAVES

__all__ = ["NO_OVERRIDES", "OverrideError", "Overrides", "load_overrides", "override_rows", "tenants_of"]

Found = tuple[str, PriceOverride]  # an entry and its place
_EXACT = Context(prec=100, rounding=ROUND_HALF_UP)


def tenants_of(key: PriceKey, overrides: Overrides, resolved: Resolved | None, alias: Alias | None = None) -> set[str]:
    """The tenants that any entry on this provider and model names, whatever variant it is limited to."""
    names = _names_of(key, resolved, alias)
    found = {entry.tenant for _, entry in overrides.prices if _closeness(entry, names) is not None}
    return {tenant for tenant in found if tenant is not None}


def override_rows(
    key: PriceKey,
    overrides: Overrides,
    base: list[Row],
    resolved: Resolved | None = None,
    alias: Alias | None = None,
    tenant: str | None = None,
) -> list[Row]:
    """The rows of a key for a tenant (None: for everybody), where overrides replace or multiply `base`.

    They are the same rows when no entry covers the key. Raises OverrideError when a factor lifts a price out of range.
    """
    covering = _covering(key, overrides, _names_of(key, resolved, alias), tenant)
    if not covering:
        return base
    bounds = [bound for _, entry in covering for bound in (entry.starts_at, entry.ends_at) if bound is not None]
    rows = []
    for start, end in intervals(bounds, None, None):
        holding = [found for found in covering if holds(found[1], start, end)]
        written, discount, uplift = (_winner(holding, kind) for kind in ("price", "discount", "uplift"))
        rows += [_adjusted(row, _applying(written, discount, uplift)) for row in _base(base, written, start, end)]
    return coalesce(rows)


# ---- which entries cover a key, the strongest first ----


def _covering(key: PriceKey, overrides: Overrides, names: Sequence[tuple[str, str]], tenant: str | None) -> list[Found]:
    reported = {"processing": "realtime"} | context_of(key) | ({"region": key.region.lower()} if key.region else {})
    ranked = []
    for place, entry in overrides.prices:
        closeness = _closeness(entry, names)
        is_in_scope = entry.tenant in (None, tenant) and entry.variant.items() <= reported.items()
        if closeness is not None and is_in_scope:
            ranked.append((_narrowness(entry), closeness, (place, entry)))
    # ranks of one kind differ: two that are equal overlap, or hold at different times
    return [found for *_, found in sorted(ranked, key=lambda ranking: ranking[:2], reverse=True)]


def _names_of(key: PriceKey, resolved: Resolved | None, alias: Alias | None) -> list[tuple[str, str]]:
    """What an entry may call the model, the farthest first: as the catalogue resolves it, alias target, reported."""
    return [
        (resolved.provider.id, resolved.model.id) if resolved else ("", ""),
        (alias.to_provider, alias.to_model) if alias else ("", ""),
        (key.provider, key.model),
    ]


def _closeness(entry: PriceOverride, names: Sequence[tuple[str, str]]) -> int | None:
    """How near the nearest name is that an entry covers: 2 reported, 1 alias target, 0 catalogue; None: not covered."""
    covered = [
        nearness
        for nearness, (provider, model) in enumerate(names)
        if entry.provider == provider
        and (entry.model is None or model in entry.model)
        and (nearness > 0 or entry.kind != "price")
    ]
    return max(covered, default=None)


def _narrowness(entry: PriceOverride) -> tuple[Any, ...]:
    context = sorted(entry.price_context or ())
    parts = (entry.tenant, entry.model, entry.processing, entry.service_tier, entry.region)
    given = tuple(part is not None for part in parts)
    # of names in the context the first in the alphabet is the stronger
    reverse = tuple(tuple(-ord(letter) for letter in name) for name in context)
    return sum(given) + len(context), given, len(context), reverse


def _winner(holding: Iterable[Found], kind: str) -> Found | None:
    return next((found for found in holding if found[1].kind == kind), None)


# ---- their rows ----


def _base(base: list[Row], written: Found | None, start: datetime | None, end: datetime | None) -> list[Row]:
    if written:
        return _rows_of(*written, start, end)
    return [clipped for row in base if (clipped := clip(row, start, end))]


def _applying(written: Found | None, discount: Found | None, uplift: Found | None) -> list[Found]:
    if written and written[1].free:
        return []
    is_net = written is not None and not written[1].is_list_price
    return [found for found in (None if is_net else discount, uplift) if found]


def _rows_of(place: str, entry: PriceOverride, start: datetime | None, end: datetime | None) -> list[Row]:
    tiers = entry.prices_by_tier()
    return [
        {
            "price_provider_id": entry.provider,
            "price_model_id": entry.model[0] if entry.model else None,
            "resolution": "override",
            **LISTED,
            "approved_by": entry.approved_by,
            **EVERYWHERE,
            "valid_from": start,
            "valid_to": end,
            "input_tokens_from": tokens_from,
            "input_tokens_to": tokens_to,
            **priced_columns(tiers[tokens_from]),
            "variant": _listed(_pairs(entry)),
            "missing_variant": None,
            "approximate_reason": None,
            "source": place,
            "suggestions": None,
        }
        for tokens_from, tokens_to in intervals(list(tiers), 0, None)
    ]


def _adjusted(row: Row, factors: Sequence[Found]) -> Row:
    """A row at its price times the factors; a row without prices stays as it is."""
    has_price = row["other_prices"] is not None or any(row[leaf.price_column] is not None for leaf in LEAVES)
    if not factors or row["resolution"] == "unknown" or not has_price:
        return row
    product = Decimal(1)
    for _, entry in factors:
        product = _EXACT.multiply(product, _factor(entry))
    times = partial(_times, product=product, places=" and ".join(place for place, _ in factors))
    prices = {leaf.price_column: row[leaf.price_column] for leaf in LEAVES}
    others = json.loads(row["other_prices"]) if row["other_prices"] else {}
    texts = {unit: f"{times(Decimal(price)).normalize():f}" for unit, price in others.items()}
    pairs = {pair for _, entry in factors for pair in _pairs(entry)}
    approvers = [row["approved_by"], *(entry.approved_by for _, entry in factors)]
    return row | {
        **{column: None if price is None else times(price) for column, price in prices.items()},
        "other_prices": json.dumps(texts, sort_keys=True, separators=(",", ":")) if texts else None,
        # a factor written for the variant prices it
        "variant": _listed({*_split(row["variant"]), *pairs}),
        "missing_variant": _listed({*_split(row["missing_variant"])} - pairs),
        "adjustments": tuple(f"{entry.kind}_factor {_factor(entry):f} ({place})" for place, entry in factors),
        "approved_by": ", ".join(dict.fromkeys(name for name in approvers if name)),
    }


def _times(price: Decimal, product: Decimal, places: str) -> Decimal:
    exact = _EXACT.multiply(price, product)
    if exact > HIGHEST_PRICE:
        raise OverrideError(
            f"{places}: {price:f} USD times {product:f} is above {HIGHEST_PRICE} USD per unit: lower it."
        )
    return exact.quantize(PRICE_SCALE, context=_EXACT)


def _factor(entry: PriceOverride) -> Decimal:
    factor = entry.discount_factor if entry.kind == "discount" else entry.uplift_factor
    if factor is None:
        raise TypeError(f"{entry.kind} of {entry.provider} has no factor")
    return factor


def _pairs(entry: PriceOverride) -> set[str]:
    return {f"{name}={value}" for name, value in entry.variant.items()}


def _split(variant: str | None) -> list[str]:
    return variant.split(", ") if variant else []


def _listed(pairs: Iterable[str]) -> str | None:
    return ", ".join(sorted(pairs)) or None
