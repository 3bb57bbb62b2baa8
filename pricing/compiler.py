"""One price key to its price rows: overrides over the catalogue over unknown."""

from pricing.catalogue import Resolved, catalogue_rows, resolve
from pricing.overrides import NO_OVERRIDES, Overrides, override_rows, tenants_of
from pricing.rows import EVERYWHERE, LISTED, NO_PRICES, PriceKey, Row, row_key
from pricing.suggestions import suggest


def compile_key(key: PriceKey, overrides: Overrides = NO_OVERRIDES) -> list[Row]:
    """Disjoint rows that cover all time, all hours and all input sizes; a stretch nobody prices has prices None.

    They are for everybody (`tenant_id` None), and once more in full for each tenant with an override of its own.
    """
    resolved = resolve_key(key, overrides)
    base = catalogue_rows(key, resolved) if resolved else [_unknown_row(key)]
    rows = [
        {**key._asdict(), **row, "tenant_id": tenant}
        for tenant in (None, *tenants_of(key, overrides, resolved))
        for row in override_rows(key, overrides, base, resolved, tenant)
    ]
    return [{"price_row_key": row_key(row), **row} for row in rows]


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
