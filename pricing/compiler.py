"""One price key to its price rows: overrides over the catalogue over unknown."""

from datetime import datetime

from pricing.catalogue import Resolved, catalogue_rows, resolve
from pricing.overrides import NO_OVERRIDES, Overrides, override_rows, tenants_of
from pricing.rows import EVERYWHERE, LISTED, NO_PRICES, PriceKey, Row, clip, intervals, row_key
from pricing.suggestions import suggest


def compile_key(key: PriceKey, overrides: Overrides = NO_OVERRIDES) -> list[Row]:
    """Disjoint rows that cover all time, all hours and all input sizes; a stretch nobody prices has prices None.

    They are for everybody (`tenant_id` None). A tenant with an override of its own has rows beside them, from the first
    instant at which it pays something else than everybody to the last.
    """
    resolved = resolve_key(key, overrides)
    base = catalogue_rows(key, resolved) if resolved else [_unknown_row(key)]
    everybody = override_rows(key, overrides, base, resolved)
    rows = [{**key._asdict(), **row} for row in everybody]
    for tenant in tenants_of(key, overrides, resolved):
        own = _while_apart(override_rows(key, overrides, base, resolved, tenant), everybody)
        rows += [{**key._asdict(), **row, "tenant_id": tenant} for row in own]
    return [{"price_row_key": row_key(row), **row} for row in rows]


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


def resolve_key(key: PriceKey, overrides: Overrides = NO_OVERRIDES) -> Resolved | None:
    """The catalogue model of a key, by alias where a team wrote one."""
    alias = overrides.alias_of(key)
    if alias is None:
        return resolve(key.provider, key.model)
    found = resolve(alias.to_provider, alias.to_model)
    return found and found._replace(how=f"alias of {alias.to_provider}/{alias.to_model}")


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
        "source": None,
        "suggestions": tuple(str(suggestion) for suggestion in suggest(key.provider, key.model)),
    }
