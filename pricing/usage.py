"""A provider's own usage payload to inclusive counts, by the extractors of the price catalogue.

A payload is the usage object as the provider returned it (`{"prompt_tokens": ...}`) or the response around it. What an
extractor does not find there was not used: the payload is the provider's whole account of the call.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple

from genai_prices import types

from pricing.catalogue import known_provider
from pricing.units import COUNTS, LEAF_OF_COUNT, OTHER_UNITS, PARTS_OF_SUMS, RESTATED, UNIT_OF_COUNT, Usage

# Words that select a price, by the names under which payloads have them, and those that request nothing special.
PRICE_WORDS = ("speed", "inference_geo", "search_context_size", "search_type")
SAYS_NOTHING = {"inference_geo": ("global", "not_available")}
TRAFFIC_TIERS = {"on_demand": None, "on_demand_flex": "flex", "on_demand_priority": "priority"}  # Gemini's trafficType
TOTALS = ("total_tokens", "totalTokens", "totalTokenCount")

# What Anthropic samples on the way to one answer. The counts next to `iterations` leave compactions out; the bill is the
# sum of all. Other kinds ran on another model, or are not billed at all: their tokens have no price here.
ITERATIONS = ("message", "compaction")

# Models whose output is images, whatever kind of tokens it is counted as.
_makes_images = re.compile(r"(?:.*/)?(?:chatgpt-image|gpt-image|dall-e)", re.IGNORECASE).match


class Normalised(NamedTuple):
    """Inclusive counts of a payload, and what the payload says about its price.

    `model` and `service_tier` are those that served it, `price_words` other words that select a price, each where the
    payload names it. `is_partial`: something was billed that the counts leave out.
    """

    usage: Usage
    model: str | None
    service_tier: str | None
    api_flavor: str
    price_words: Mapping[str, str]
    is_partial: bool


def normalise(provider: str, payload: Any, api_flavor: str | None = None, model: str = "") -> Normalised:
    """Counts of a provider's usage payload.

    Without `api_flavor` (`chat`, `responses`, ...) the flavor that finds the most counts in the payload is taken, the
    catalogue's first of equals. `model` is the one that was asked for: output of an image model is images. Raises
    ValueError with a sentence when the provider or the flavor is not known, or nothing in the payload can be read as
    usage.
    """
    known = known_provider(provider)
    if known is None or not known.extractors:
        raise ValueError(f"usage.raw of provider {provider[:40]!r} cannot be read: send the counts as fields")
    flavors = [extractor.api_flavor for extractor in known.extractors]
    if api_flavor is not None and api_flavor not in flavors:
        raise ValueError(f"usage.apiFlavor {str(api_flavor)[:40]!r} is none of {', '.join(flavors)} of {known.id}")
    if not isinstance(payload, Mapping):
        raise ValueError("usage.raw is no object")
    payload, is_partial = _with_iterations(payload)
    has_images = api_flavor == "images" or _makes_images(model) is not None
    if has_images:
        payload = _with_usage(payload, _with_input_details(_usage_object(payload)))
    found = []
    for extractor in known.extractors:
        if api_flavor in (None, extractor.api_flavor):
            try:
                found.append((extractor.api_flavor, *extractor.extract(_response(payload, extractor))))
            except (ValueError, TypeError, OverflowError) as error:
                problem = str(error)
    if not found:
        raise ValueError(f"usage.raw has no usage of {known.id} ({problem[:120]})")
    flavor, served_model, counts = max(found, key=lambda reading: len(vars(reading[2])))
    try:
        usage = replace(_usage(counts), total_tokens=_total(payload))
    except OverflowError:
        raise ValueError("usage.raw has a count that is infinite") from None
    if (has_images or flavor == "images") and not _says_kinds_of_output(_usage_object(payload)):
        usage = replace(usage, output_image_tokens=usage.output_tokens)
    return Normalised(usage, served_model, _service_tier(payload), flavor, _price_words(payload), is_partial)


def _with_iterations(payload: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """A payload whose counts hold every billed iteration, and whether one of them cannot be counted in."""
    usage = _usage_object(payload)
    iterations = usage.get("iterations")
    if not isinstance(iterations, list) or not iterations:
        return payload, False
    model = payload.get("model")
    alike, others = [], 0
    for one in iterations:
        if isinstance(one, Mapping) and one.get("type", "message") in ITERATIONS and one.get("model", model) == model:
            alike.append(one)
        else:
            others += 1
    # a gateway may have added them up already
    return _with_usage(payload, _larger(usage, _sum(alike))), others > 0


def _with_usage(payload: Mapping[str, Any], usage: dict[str, Any]) -> Mapping[str, Any]:
    """The payload with another usage object in the place of its own."""
    return {**payload, "usage": usage} if isinstance(payload.get("usage"), Mapping) else usage


def _sum(objects: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts added up, those of inner objects too."""
    total: dict[str, Any] = {}
    for one in objects:
        for name, value in one.items():
            if isinstance(value, Mapping):
                total[name] = _sum([total.get(name, {}), value])
            elif _is_count(value):
                total[name] = total.get(name, 0) + value
    return total


def _larger(usage: Mapping[str, Any], total: Mapping[str, Any]) -> dict[str, Any]:
    larger = dict(usage)
    for name, value in total.items():
        given = usage.get(name)
        if isinstance(value, Mapping):
            larger[name] = _larger(given if isinstance(given, Mapping) else {}, value)
        else:
            larger[name] = max(value, given) if _is_count(given) else value
    return larger


def _is_count(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _usage_object(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """The usage in a payload: the value under its name, or the payload itself."""
    inner = payload.get("response")
    for place in (payload, inner if isinstance(inner, Mapping) else {}):
        for name in ("usage", "usageMetadata"):
            found = place.get(name)
            if isinstance(found, Mapping):
                return found
    return payload


def _places(payload: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Where a payload may name what its price depends on: next to the usage and in it."""
    inner = payload.get("response")
    return [place for place in (_usage_object(payload), payload, inner) if isinstance(place, Mapping)]


def _total(payload: Mapping[str, Any]) -> int | None:
    usage = _usage_object(payload)
    return next((int(usage[name]) for name in TOTALS if _is_count(usage.get(name))), None)


def _says_kinds_of_output(usage: Mapping[str, Any]) -> bool:
    return any(usage.get(name) for name in ("output_tokens_details", "completion_tokens_details"))


def _with_input_details(usage: Mapping[str, Any]) -> dict[str, Any]:
    """The usage of an images endpoint as its extractor wants it: input of no kind is text."""
    given = usage.get("input_tokens_details")
    details = {"image_tokens": 0, **(given if isinstance(given, Mapping) else {})}
    text = usage.get("input_tokens", 0)
    if _is_count(text) and _is_count(details["image_tokens"]):
        details = {"text_tokens": text - details["image_tokens"], **details}
    return {**usage, "input_tokens_details": details}


def _price_words(payload: Mapping[str, Any]) -> dict[str, str]:
    words = {}
    for place in reversed(_places(payload)):
        for name in PRICE_WORDS:
            word = place.get(name)
            if isinstance(word, str) and word.strip() and word.strip().lower() not in SAYS_NOTHING.get(name, ()):
                words[name] = word
        performance = place.get("performanceConfig")  # Bedrock
        if isinstance(performance, Mapping) and performance.get("latency") not in (None, "standard"):
            words["latency"] = str(performance["latency"])
        if place.get("is_byok") is True:  # OpenRouter: another account pays
            words["is_byok"] = "true"
    return words


def _response(payload: Mapping[str, Any], extractor: types.UsageExtractor) -> Mapping[str, Any]:
    """The payload as a response: wrapped where it is the usage object itself."""
    root = extractor.root
    path = [root] if isinstance(root, str) else [step for step in root if isinstance(step, str)]
    if path[0] in payload:
        return payload
    for name in reversed(path):
        payload = {name: payload}
    return payload


def _usage(counts: types.Usage) -> Usage:
    reported = {unit: _exact(count) for unit, count in vars(counts).items()}
    fields: dict[str, Any] = {name: reported.get(unit) for name, unit in UNIT_OF_COUNT.items()}
    fields |= {name: fields[name] or 0 for name in ("input_tokens", "output_tokens")}
    for column, parts in PARTS_OF_SUMS.items():
        rest = reported.get(LEAF_OF_COUNT[column].unit)
        if fields[column] is None and rest is not None:
            fields[column] = rest + sum(fields[part] or 0 for part in parts)
    other = {unit: count for unit, count in reported.items() if unit in OTHER_UNITS and unit not in RESTATED}
    return Usage(**{name: fields.get(name) for name in COUNTS}, other=other)


def _exact(count: Any) -> int | Decimal:
    return int(count) if count == int(count) else Decimal(str(count))


def _service_tier(payload: Mapping[str, Any]) -> str | None:
    """The tier that served the call, which providers report next to the usage or in it."""
    for place in reversed(_places(payload)):
        for name in ("service_tier", "serviceTier"):
            tier = place.get(name)
            tier = tier.get("type") if isinstance(tier, Mapping) else tier
            if isinstance(tier, str) and tier.strip():
                return tier.strip().lower().removeprefix("service_tier_")
        traffic = place.get("trafficType")
        if isinstance(traffic, str) and traffic.strip():
            return TRAFFIC_TIERS.get(traffic.strip().lower(), traffic.strip().lower())
    return None
