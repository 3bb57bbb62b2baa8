"""One price key to its price rows: overrides over the catalogue over unknown."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from pricing.catalogue import Resolved, Stretch, catalogue_rows, resolve_over_time
from pricing.override_entries import Alias, holds
from pricing.overrides import NO_OVERRIDES, Overrides, override_rows, tenants_of
from pricing.rows import EVERYWHERE, LISTED, NO_PRICES, PriceKey, Row, clip, coalesce, intervals, row_key
from pricing.suggestions import suggest


class _Meaning(NamedTuple):
    """What a key means from an instant to another: the catalogue's model, the team's alias that says so, base prices."""

    start: datetime | None
    end: datetime | None
    resolved: Resolved | None
    alias: Alias | None
    base: list[Row]


def compile_key(key: PriceKey, overrides: Overrides = NO_OVERRIDES) -> list[Row]:
    """Disjoint rows that cover all time, all hours and all input sizes; a period without a price has prices None.

    They are for everybody (`tenant_id` None). A tenant with an override of its own has rows next to them, from the first
    instant at which it pays something other than everybody to the last.
    """
    meanings = list(_meanings(key, overrides))
    everybody = _rows(key, overrides, meanings)
    rows = [{**key._asdict(), **row} for row in everybody]
    tenants = {tenant for m in meanings for tenant in tenants_of(key, overrides, m.resolved, m.alias)}
    for tenant in sorted(tenants):
        own = _while_apart(_rows(key, overrides, meanings, tenant), everybody)
        rows += [{**key._asdict(), **row, "tenant_id": tenant} for row in own]
    return [{"price_row_key": row_key(row), **row} for row in rows]


def _rows(key: PriceKey, overrides: Overrides, meanings: list[_Meaning], tenant: str | None = None) -> list[Row]:
    return coalesce(
        [
            clipped
            for meaning in meanings
            for row in override_rows(key, overrides, meaning.base, meaning.resolved, meaning.alias, tenant)
            if (clipped := clip(row, meaning.start, meaning.end))
        ]
    )


def _meanings(key: PriceKey, overrides: Overrides) -> Iterator[_Meaning]:
    """What the key means over time: by the team's alias while it holds, else by its own name."""
    aliases = overrides.aliases_of(key)
    bounds = [bound for alias in aliases for bound in (alias.starts_at, alias.ends_at) if bound is not None]
    for start, end in intervals(bounds, None, None):
        alias = next((alias for alias in aliases if holds(alias, start, end)), None)
        name = (alias.to_provider, alias.to_model) if alias else (key.provider, key.model)
        for stretch in resolve_over_time(*name):
            if (within := _common(stretch, start, end)) is None:
                continue
            resolved = stretch.resolved
            if resolved and alias:
                resolved = resolved._replace(how=f"alias of {alias.to_provider}/{alias.to_model}")
            base = catalogue_rows(key, resolved) if resolved else [_unknown_row(key)]
            yield _Meaning(within[0], within[1], resolved, alias, base)


def _common(stretch: Stretch, start: datetime | None, end: datetime | None) -> tuple[Any, Any] | None:
    common = clip({"valid_from": stretch.start, "valid_to": stretch.end}, start, end)
    return (common["valid_from"], common["valid_to"]) if common else None


def _while_apart(own: list[Row], everybody: list[Row]) -> list[Row]:
    """A tenant's rows from the first to the last instant at which they differ from everybody's; none if they never do."""
    bounds = [row[bound] for row in own + everybody for bound in ("valid_from", "valid_to") if row[bound] is not None]
    apart = [
        stretch for stretch in intervals(bounds, None, None) if _during(own, *stretch) != _during(everybody, *stretch)
    ]
    if not apart:
        return []
    start, end = apart[0][0], apart[-1][1]
    return [clipped for row in own if (clipped := clip(row, start, end))]


def _during(rows: list[Row], start: datetime | None, end: datetime | None) -> set[str]:
    return {row_key(row) for row in rows if clip(row, start, end)}


def _unknown_row(key: PriceKey) -> Row:
    return {
        "price_provider_id": None,
        "price_model_id": None,
        "resolution": "unknown",
        **LISTED,
        **EVERYWHERE,
        **NO_PRICES,
        "variant": None,
        "missing_variant": None,
        "approximate_reason": None,
        "source": None,
        "suggestions": tuple(str(suggestion) for suggestion in suggest(key.provider, key.model)),
    }
