"""The catalogue (genai-prices): which of its models a reported name is, and that model's prices as disjoint rows.

Names are matched by the library's own clauses, never by likeness. Three things are added, all deterministic:
a routing prefix of LiteLLM or OpenRouter (`gemini/gemini-2.5-pro`) is taken off when the name does not match with it;
a placeholder (`openrouter/REDACTED`, `None`) is no model; and a clause that matches the beginning of a name does not
match a different size or edition of the model (`gemini-1.5-flash` is not `gemini-1.5-flash-8b`).

Prices are never computed here: the library is asked for them at one instant of each stretch of time, because
which of several prices holds (dates, hours, variants) is its own rule.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from itertools import product
from typing import NamedTuple

from genai_prices import types
from genai_prices.data_snapshot import find_provider_by_id, get_snapshot

from pricing.rows import DAY_SECONDS, EVERYWHERE, LISTED, PriceKey, Row, coalesce, intervals, per_unit, priced_columns
from pricing.units import REGISTRY

CATALOGUE_VERSION = version("genai-prices")
SOURCE = f"genai-prices {CATALOGUE_VERSION}"

# How LiteLLM and OpenTelemetry spell providers that the library knows under another name.
PROVIDER_SPELLINGS = {
    "azure.ai.inference": "azure",
    "az.ai.inference": "azure",
    "azure_ai": "azure",
    "fireworks-ai": "fireworks",
    "fireworks_ai": "fireworks",
    "gcp.gen_ai": "google",
    "x_ai": "x-ai",
}

# Senders that say who routed the call, or nothing: only then may the prefix of the model say who billed it. A provider
# that we merely do not know keeps its models unpriced: `vllm` serving `google/gemma-2-27b-it` is not billed by Google.
SAYS_NOTHING = frozenset({"", "-", "custom", "litellm", "litellm_proxy", "n/a", "none", "null", "other", "unknown"})

PLACEHOLDER_MODELS = frozenset({"", "-", "none", "null", "redacted", "unknown"})

# Words and sizes that make a longer name another model at another price. Dates, versions, `latest`, `preview` do not.
_EDITION = re.compile(
    r"embedding|fast|flash|image|live|lite|max|micro|mini|nano|pro|realtime|transcribe|tts|ultra|\d+(\.\d+)?b"
)

# Words that ask for nothing but the standard rate.
STANDARD = {
    "processing": {"realtime"},
    "service_tier": {"auto", "default", "on_demand", "standard", "standard_only"},
    "speed": {"standard"},
}

# How the catalogue says that a model without a price costs nothing; without such words its price is unknown.
FREE_WORDS = (":free", "(free)", "free of charge", "included in the subscription")
# Free by what the provider publishes: moderation, and Google's experimental models on OpenRouter.
FREE = {
    ("openai", "moderation"),
    ("openrouter", "gemini-2.5-pro-exp-03-25"),
    ("openrouter", "google/gemini-flash-1.5-8b-exp"),
}

# Groq bills at least 10 seconds of audio per call: a price per second cannot say that, so these have none and stand in
# the unpriced queue instead of being charged too little.
MINIMUM_BILLED = {("groq", "whisper-large-v3"), ("groq", "whisper-large-v3-turbo")}
AUDIO_DURATIONS = frozenset({"audio_seconds", "input_audio_seconds", "output_audio_seconds"})


class Resolved(NamedTuple):
    """A catalogue model; `how` is a phrase for people: 'as reported', 'prefix gemini/ taken off', 'alias ...'."""

    provider: types.Provider
    model: types.ModelInfo
    how: str

    @property
    def is_borrowed(self) -> bool:
        """Whether the provider resells another provider's model: then variants of that model do not apply to it."""
        return not any(self.model is own for own in self.provider.models)


@cache
def resolve(provider: str, model: str) -> Resolved | None:
    """The catalogue model that a sender means by (provider, model), or None when the catalogue does not know it."""
    if model.rpartition("/")[2].strip().lower() in PLACEHOLDER_MODELS:
        return None
    if found := _find(provider, model):
        return Resolved(*found, "as reported")
    prefix, slash, rest = model.partition("/")
    routed_to = known_provider(prefix) if slash else None
    if routed_to is None:
        return None
    says_nothing = provider.strip().lower() in SAYS_NOTHING
    if found := _find(routed_to.id if says_nothing else provider, rest):
        return Resolved(*found, f"prefix {prefix}/ {'names the provider' if says_nothing else 'taken off'}")
    return None


def known_provider(name: str) -> types.Provider | None:
    """The catalogue provider of that name, by the library's own clauses and the spellings it does not know."""
    name = name.strip().lower()
    return find_provider_by_id(get_snapshot().providers, PROVIDER_SPELLINGS.get(name, name)) if name else None


def _find(provider: str, model: str) -> tuple[types.Provider, types.ModelInfo] | None:
    provider = PROVIDER_SPELLINGS.get(provider.strip().lower(), provider)
    try:
        found = get_snapshot().find_provider_model(model.strip(), None, provider, None)
    except LookupError:
        return None
    return None if _is_another_edition(model.strip().lower(), found[1].match) else found


def _is_another_edition(name: str, match: types.MatchLogic) -> bool:
    """Whether `name` matches only as the beginning of a longer name that a size or edition follows."""
    matching = [clause for clause in _clauses(match) if clause.is_match(name)]
    beginnings = [c for c in matching if isinstance(c, types.ClauseStartsWith | types.ClauseContains)]
    if not beginnings or any(isinstance(clause, types.ClauseEquals | types.ClauseEndsWith) for clause in matching):
        return False
    return all(_names_edition(name.partition(next(iter(vars(clause).values())).lower())[2]) for clause in beginnings)


def _names_edition(rest: str) -> bool:
    words = re.split(r"[-_:@/]", rest) if rest[:1] in {"-", "_", ":"} else []
    return any(_EDITION.fullmatch(word) for word in words)


def _clauses(match: types.MatchLogic) -> Iterator[types.MatchLogic]:
    parts = getattr(match, "or_", None) or getattr(match, "and_", None)
    if parts is None:
        yield match
    for part in parts or ():
        yield from _clauses(part)


def context_of(key: PriceKey) -> dict[str, str]:
    """What the catalogue's variants look at; reported processing and tier outrank the same words there."""
    context = json.loads(key.price_context) if key.price_context else {}
    return context | {name: value for name in ("processing", "service_tier") if (value := getattr(key, name))}


def catalogue_rows(key: PriceKey, resolved: Resolved) -> list[Row]:
    """The catalogue's prices for a key: disjoint rows that cover all time, all hours and all input sizes."""
    context = {} if resolved.is_borrowed else context_of(key)
    prices = [*_standard_prices(resolved.model), *_variants(resolved.model, context)]
    for price in prices:
        _check(price)
    constraints = [price.constraint for price in prices]
    dates = [c.start_date for c in constraints if isinstance(c, types.StartDateConstraint)]
    hours = [c for c in constraints if isinstance(c, types.TimeOfDateConstraint)]
    seconds = [_utc_second(bound) for window in hours for bound in (window.start_time, window.end_time)]
    tiers = [tier.start + 1 for price in prices for tier in _tiers(price.prices)]
    segments = product(
        intervals([_midnight(day) for day in dates], None, None),
        intervals(seconds, 0, DAY_SECONDS),
        intervals(tiers, 0, None),
    )
    return coalesce([_row(key, resolved, context, *segment) for segment in segments])


def is_free(provider: types.Provider, model: types.ModelInfo) -> bool:
    """Whether a model without prices is free of charge. The catalogue keeps no zero prices: its words are the price."""
    words = f"{model.id} {model.name or ''} {model.price_comments or ''}".lower()
    return (provider.id, model.id) in FREE or any(word in words for word in FREE_WORDS)


class UnrepresentableError(ValueError):
    """The catalogue says something that the price book cannot hold: each model with the reason, one per line."""


def compile_catalogue() -> Iterator[Row]:
    """The rows of every model at its standard prices and in every variant it has.

    Raises UnrepresentableError that names each model which the price book cannot hold.
    """
    problems: list[str] = []
    for provider in get_snapshot().providers:
        for model in provider.models:
            resolved = Resolved(provider, model, "listed")
            try:
                for key in _keys_of(provider, model):
                    yield from catalogue_rows(key, resolved)
            except (ValueError, TypeError, KeyError) as error:
                problems.append(f"{provider.id}/{model.id}: {error}")
    if problems:
        raise UnrepresentableError("\n".join([f"{SOURCE} has prices that the price book cannot hold.", *problems]))


def _keys_of(provider: types.Provider, model: types.ModelInfo) -> Iterator[PriceKey]:
    """The standard key of a model, and one for each variant that it has."""
    yield PriceKey(provider.id, model.id)
    for when in {tuple(sorted(variant.when.items())): variant.when for variant in model.price_variants or ()}.values():
        rest = {name: value for name, value in when.items() if name not in ("processing", "service_tier")}
        context = json.dumps(rest, sort_keys=True) if rest else None
        yield PriceKey(provider.id, model.id, when.get("processing"), when.get("service_tier"), price_context=context)


def _check(price: types.ConditionalPrice | types.PriceVariant) -> None:
    """Raises ValueError for a price whose terms the rows do not express, so that none is passed over in silence."""
    known = (types.StartDateConstraint, types.TimeOfDateConstraint)
    if price.constraint is not None and not isinstance(price.constraint, known):
        raise ValueError(f"a price holds under {type(price.constraint).__name__}, which price rows do not have")
    for name, value in vars(price.prices).items():
        if value is None:
            continue
        if not isinstance(value, types.TieredPrices | Decimal):
            raise ValueError(f"{name} is {value!r}, neither a price nor tiers of input tokens")
        starts = [tier.start for tier in value.tiers] if isinstance(value, types.TieredPrices) else []
        if starts != sorted(set(starts)):
            raise ValueError(f"the tiers of {name} start at {starts}, not in rising order")


def _row(key: PriceKey, resolved: Resolved, context: dict, valid: tuple, seconds: tuple, tokens: tuple) -> Row:
    instant = _any_instant(valid, seconds)
    prices = prices_at(resolved.model.get_prices(instant, context), tokens[0])
    if not prices and is_free(resolved.provider, resolved.model):
        prices = {unit: per_unit(Decimal(0), 1) for unit in ("input_tokens", "output_tokens")}
    has_minimum = (resolved.provider.id, resolved.model.id) in MINIMUM_BILLED
    bounds = (*valid, *seconds, *tokens)
    return {
        "price_provider_id": resolved.provider.id,
        "price_model_id": resolved.model.id,
        "resolution": "catalogue",
        **LISTED,
        **dict(zip(EVERYWHERE, bounds, strict=True)),
        **priced_columns(prices, AUDIO_DURATIONS if has_minimum else frozenset()),
        "variant": _variant_name(resolved.model, context, instant),
        "missing_variant": _missing_variant(key, resolved.model, context, instant),
        "source": SOURCE,
        "suggestions": None,
    }


def prices_at(prices: types.ModelPrice, input_tokens: int) -> dict:
    """USD per unit by registry unit, of a request with that much input: a tier holds above its start, for all of it."""
    found = {}
    for price_key, price in vars(prices).items():
        if price is None:
            continue
        unit = REGISTRY.unit_for_price_key(price_key)
        if isinstance(price, types.TieredPrices):
            above = [tier.price for tier in price.tiers if input_tokens > tier.start]
            price = above[-1] if above else price.base
        found[unit.usage_key] = per_unit(price, unit.per)
    return found


def _standard_prices(model: types.ModelInfo) -> list[types.ConditionalPrice]:
    if isinstance(model.prices, types.ModelPrice):
        return [types.ConditionalPrice(prices=model.prices)]
    return model.prices


def _variants(model: types.ModelInfo, context: dict[str, str]) -> list[types.PriceVariant]:
    return [v for v in model.price_variants or () if all(context.get(key) == value for key, value in v.when.items())]


def _variant_name(model: types.ModelInfo, context: dict[str, str], instant: datetime) -> str | None:
    applied = {pair for variant in _active_variants(model, context, instant) for pair in variant.when.items()}
    return ", ".join(sorted(f"{name}={value}" for name, value in applied)) or None


def _active_variants(model: types.ModelInfo, context: dict[str, str], instant: datetime) -> list[types.PriceVariant]:
    return [v for v in _variants(model, context) if v.constraint is None or v.constraint.active(instant)]


def _missing_variant(key: PriceKey, model: types.ModelInfo, context: dict[str, str], instant: datetime) -> str | None:
    """What was asked for that no price in force looks at: such a call is priced at the standard rate, and says so."""
    applied = {name for variant in _active_variants(model, context, instant) for name in variant.when}
    missing = [
        f"{name}={value}"
        for name, value in sorted(context_of(key).items())
        if name not in applied and value not in STANDARD.get(name, ())
    ]
    return ", ".join(missing) or None


def _tiers(prices: types.ModelPrice) -> list[types.Tier]:
    return [tier for price in vars(prices).values() if isinstance(price, types.TieredPrices) for tier in price.tiers]


def _any_instant(valid: tuple, seconds: tuple) -> datetime:
    start, end = valid
    day = start or (end - timedelta(days=1) if end else datetime(2000, 1, 1))  # noqa: DTZ001 (rows hold naive UTC)
    return (day + timedelta(seconds=seconds[0])).replace(tzinfo=UTC)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min)


def _utc_second(bound: time) -> int:
    if bound.tzinfo is not None:
        bound = datetime.combine(date(1970, 1, 2), bound).astimezone(UTC).time()
    return bound.hour * 3600 + bound.minute * 60 + bound.second
