"""A provider's own usage payload to inclusive counts, by the extractors of the price catalogue.

A payload is the usage object as the provider returned it (`{"prompt_tokens": ...}`) or the response around it. What an
extractor does not find there was not used: the payload is the provider's whole account of the call.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from genai_prices import types

from pricing.catalogue import known_provider
from pricing.units import COUNTS, OTHER_UNITS, RESTATED, UNIT_OF_COUNT, Usage


class Normalised(NamedTuple):
    """Inclusive counts of a payload; the model and the tier that served it, where the payload names them."""

    usage: Usage
    model: str | None
    service_tier: str | None
    api_flavor: str


def normalise(provider: str, payload: Any, api_flavor: str | None = None) -> Normalised:
    """Counts of a provider's usage payload.

    Without `api_flavor` (`chat`, `responses`, ...) the flavor that finds the most counts in the payload is taken, the
    catalogue's first of equals. Raises ValueError with a sentence when the provider or the flavor is not known, or
    nothing in the payload can be read as usage.
    """
    known = known_provider(provider)
    if known is None or not known.extractors:
        raise ValueError(f"usage.raw of provider {provider[:40]!r} cannot be read: send the counts as fields")
    flavors = [extractor.api_flavor for extractor in known.extractors]
    if api_flavor is not None and api_flavor not in flavors:
        raise ValueError(f"usage.apiFlavor {str(api_flavor)[:40]!r} is none of {', '.join(flavors)} of {known.id}")
    if not isinstance(payload, Mapping):
        raise ValueError("usage.raw is no object")
    found = []
    for extractor in known.extractors:
        if api_flavor in (None, extractor.api_flavor):
            try:
                found.append((extractor.api_flavor, *extractor.extract(_response(payload, extractor))))
            except (ValueError, TypeError) as error:
                problem = str(error)
    if not found:
        raise ValueError(f"usage.raw has no usage of {known.id} ({problem[:120]})")
    flavor, model, counts = max(found, key=lambda reading: len(vars(reading[2])))
    return Normalised(_usage(counts), model, _service_tier(payload), flavor)


def _response(payload: Mapping, extractor: types.UsageExtractor) -> Mapping:
    """The payload as a response: wrapped where it is the usage object itself."""
    path = [extractor.root] if isinstance(extractor.root, str) else list(extractor.root)
    if path[0] in payload:
        return payload
    for name in reversed(path):
        payload = {name: payload}
    return payload


def _usage(counts: types.Usage) -> Usage:
    reported = {unit: _exact(count) for unit, count in vars(counts).items()}
    fields = {name: reported.get(unit) for name, unit in UNIT_OF_COUNT.items()}
    fields |= {name: fields[name] or 0 for name in ("input_tokens", "output_tokens")}
    if fields["cache_write_tokens"] is None and "cache_write_5m_tokens" in reported:
        fields["cache_write_tokens"] = reported["cache_write_5m_tokens"] + (fields["cache_write_1h_tokens"] or 0)
    other = {unit: count for unit, count in reported.items() if unit in OTHER_UNITS and unit not in RESTATED}
    return Usage(**{name: fields.get(name) for name in COUNTS}, other=other)


def _exact(count: Any) -> int | Decimal:
    return int(count) if count == int(count) else Decimal(str(count))


def _service_tier(payload: Mapping) -> str | None:
    """The tier that served the call, which providers report beside the usage or in it."""
    usage = payload.get("usage")
    places = (payload, usage if isinstance(usage, Mapping) else {})
    return next((tier for place in places if isinstance(tier := place.get("service_tier"), str)), None)
