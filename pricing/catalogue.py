"""The catalogue (genai-prices): which of its models a reported name is, and that model's prices as disjoint rows.

Names are matched by the library's own clauses, never by likeness. Four things are added, all deterministic: what is a
way to the model rather than its name is taken off when the name does not match with it (`pricing/names.py`); a name whose
meaning moved stands for what it meant at the time (`pricing/corrections.py`); a placeholder (`openrouter/REDACTED`, `None`)
is not a model; and a clause that matches the beginning of a name does not match a different size or edition of the model
(`gemini-1.5-flash` is not `gemini-1.5-flash-8b`).

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

from pricing.corrections import (
    CorrectedPrice,
    MeantAlias,
    Placed,
    cited,
    corrected_prices,
    meant_by,
    needed_bounds,
    unstated,
)
from pricing.names import FREE_ROUTERS, MOVING_NAME, ROUTER, Form, forms, is_free_of_charge, is_moving
from pricing.override_entries import holds
from pricing.rows import (
    DAY_SECONDS,
    EVERYWHERE,
    LISTED,
    PriceKey,
    Row,
    coalesce,
    intervals,
    one_spelling,
    per_unit,
    priced_columns,
)
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

# Words that request the standard rate and nothing else.
STANDARD = {
    "processing": {"realtime"},
    "service_tier": {"auto", "default", "on-demand", "on_demand", "standard", "standard_only"},
    "speed": {"standard"},
}

# How the catalogue says that a model without a price costs nothing; without such words its price is unknown.
FREE_WORDS = (":free", "(free)", "free of charge", "included in the subscription")
# Free by what the provider publishes: moderation, and Google's experimental models on OpenRouter.
FREE = {
    ("openai", "moderation"),
    ("openrouter", "gemini-2.5-pro-exp-03-25"),
    ("openrouter", "google/gemini-flash-1.5-8b-exp"),
    *((ROUTER, name) for name in FREE_ROUTERS),
}

# Groq bills at least 10 seconds of audio per call: a price per second cannot say that, so these have none and are listed in
# the unpriced queue instead of being charged too little.
MINIMUM_BILLED = {("groq", "whisper-large-v3"), ("groq", "whisper-large-v3-turbo")}
AUDIO_DURATIONS = frozenset({"audio_seconds", "input_audio_seconds", "output_audio_seconds"})


Period = tuple[datetime | None, datetime | None]  # half-open, naive UTC; None: open


class Resolved(NamedTuple):
    """A catalogue model; `how` is a phrase for people: 'as reported', 'prefix gemini/ taken off', 'alias ...'.

    asked: what the name requests that no price considers; is_moving: whether the name may have meant another model at the
    time; correction: the dated alias that says which one it meant, with its source.
    """

    provider: types.Provider
    model: types.ModelInfo
    how: str
    asked: tuple[str, ...] = ()
    is_moving: bool = False
    correction: str | None = None

    @property
    def is_borrowed(self) -> bool:
        """Whether the provider resells another provider's model: then variants of that model do not apply to it."""
        is_own = any(self.model is own for own in self.provider.models)
        return not is_own and not is_free_of_charge(self.provider.id, self.model.id)


class Stretch(NamedTuple):
    """What a name means from an instant to another (None: open); None where it is not known."""

    start: datetime | None
    end: datetime | None
    resolved: Resolved | None


def resolve(provider: str, model: str) -> Resolved | None:
    """The catalogue model that a sender means by (provider, model) today, or None when the catalogue does not know it."""
    return resolve_over_time(provider, model)[-1].resolved


@cache
def resolve_over_time(provider: str, model: str) -> tuple[Stretch, ...]:
    """What (provider, model) meant at each time: adjoining stretches that cover all of it."""
    if model.rpartition("/")[2].strip().lower() not in PLACEHOLDER_MODELS:
        for form in forms(provider, model, _id_of, provider.strip().lower() in SAYS_NOTHING):
            today = _today(form)
            aliases = _aliases(form, today)
            if today is not None or aliases:
                return tuple(_stretches(form, today, aliases))
    return (Stretch(None, None, None),)


def _today(form: Form) -> Resolved | None:
    if found := _find(form.provider, form.name):
        return Resolved(*found, form.how, form.asked, is_moving(form.name))
    provider = known_provider(form.provider)
    if provider is not None and is_free_of_charge(provider.id, form.name):
        free = types.ModelInfo(id=form.name, match=types.ClauseEquals(form.name), prices=types.ModelPrice())
        return Resolved(provider, free, form.how, form.asked)
    return None


def _aliases(form: Form, today: Resolved | None) -> list[Placed[MeantAlias]]:
    """Of the name at who billed it. The library reads LiteLLM's prefixes itself: what it knew may still have one."""
    if today is None:
        return meant_by(_id_of(form.provider), form.name)
    prefix, _, rest = form.name.partition("/")
    billed_by = today.provider.id
    return meant_by(billed_by, form.name) or (meant_by(billed_by, rest) if _id_of(prefix) == billed_by else [])


def _stretches(form: Form, today: Resolved | None, aliases: list[Placed[MeantAlias]]) -> Iterator[Stretch]:
    bounds = [bound for _, alias in aliases for bound in (alias.starts_at, alias.ends_at) if bound is not None]
    for start, end in intervals(bounds, None, None):
        placed = next((placed for placed in aliases if holds(placed[1], start, end)), None)
        if placed is None:
            # outside of what is recorded, a name whose meaning changed may have meant anything
            yield Stretch(start, end, today and today._replace(is_moving=today.is_moving or bool(aliases)))
            continue
        _, alias = placed
        meant = _find(alias.to_provider, alias.to_model)
        how = f"{form.how}, {form.name} meant {alias.to_model}" if form.taken_off else f"meant {alias.to_model}"
        yield Stretch(start, end, meant and Resolved(*meant, how, form.asked, correction=cited(placed)))


def _id_of(provider: str) -> str | None:
    found = known_provider(provider)
    return found.id if found else None


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
    """What the catalogue's variants depend on; reported processing and tier outrank the same names there."""
    context = json.loads(key.price_context) if key.price_context else {}
    context |= {name: value for name in ("processing", "service_tier") if (value := getattr(key, name))}
    return one_spelling(context)


def catalogue_rows(key: PriceKey, resolved: Resolved) -> list[Row]:
    """The catalogue's prices for a key: disjoint rows that cover all time, all hours and all input sizes."""
    context = {} if resolved.is_borrowed else context_of(key)
    prices: list[types.ConditionalPrice | types.PriceVariant] = [
        *_standard_prices(resolved.model),
        *_variants(resolved.model, context),
    ]
    for price in prices:
        _check(price)
    corrections = corrected_prices(resolved.provider.id, resolved.model.id, context)
    constraints = [price.constraint for price in prices]
    dates = [c.start_date for c in constraints if isinstance(c, types.StartDateConstraint)]
    hours = [c for c in constraints if isinstance(c, types.TimeOfDateConstraint)]
    seconds = [_utc_second(bound) for window in hours for bound in (window.start_time, window.end_time)]
    tiers = [tier.start + 1 for price in prices for tier in _tiers(price.prices)]
    tiers += [start for _, correction in corrections for start in correction.by_tier()]
    corrected = [bound for _, c in corrections for bound in (c.starts_at, c.ends_at) if bound is not None]
    corrected += needed_bounds(resolved.provider.id, resolved.model.id)
    segments = product(
        intervals([*(_midnight(day) for day in dates), *corrected], None, None),
        intervals(seconds, 0, DAY_SECONDS),
        intervals(tiers, 0, None),
    )
    return coalesce([_row(key, resolved, context, corrections, *segment) for segment in segments])


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


def _row(
    key: PriceKey,
    resolved: Resolved,
    context: dict[str, str],
    corrections: list[Placed[CorrectedPrice]],
    valid: Period,
    seconds: tuple[int, int],
    tokens: tuple[int, int | None],
) -> Row:
    instant = _any_instant(valid, seconds)
    active = _active_variants(resolved.model, context, instant)
    # a price for every call leaves alone what the catalogue prices for one variant
    corrections = [(place, c) for place, c in corrections if holds(c, *valid) and (c.when or not active)]
    prices = prices_at(resolved.model.get_prices(instant, context), tokens[0])
    is_without_charge = not prices and is_free(resolved.provider, resolved.model)
    if is_without_charge:
        prices = {unit: per_unit(Decimal(0), 1) for unit in ("input_tokens", "output_tokens")}
    for _, correction in corrections:
        prices |= correction.prices_at(tokens[0])
    has_minimum = (resolved.provider.id, resolved.model.id) in MINIMUM_BILLED
    applied = {f"{name}={value}" for each in active for name, value in each.when.items()}
    applied |= {pair for _, correction in corrections for pair in correction.pairs}
    missing = [] if is_without_charge else _missing_variants(key, applied)
    missing += unstated(resolved.provider.id, resolved.model.id, context_of(key), valid)
    cites = [resolved.correction, *(cited(placed) for placed in corrections)]
    bounds = (*valid, *seconds, *tokens)
    return {
        "price_provider_id": resolved.provider.id,
        "price_model_id": resolved.model.id,
        "resolution": "catalogue",
        **LISTED,
        **dict(zip(EVERYWHERE, bounds, strict=True)),
        **priced_columns(prices, AUDIO_DURATIONS if has_minimum else frozenset()),
        "variant": ", ".join(sorted(applied)) or None,
        "missing_variant": ", ".join([*missing, *resolved.asked]) or None,
        "approximate_reason": MOVING_NAME if resolved.is_moving else None,
        "source": "; ".join([SOURCE, *(cite for cite in cites if cite)]),
        "suggestions": None,
    }


def prices_at(prices: types.ModelPrice, input_tokens: int) -> dict[str, Decimal]:
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


def _active_variants(model: types.ModelInfo, context: dict[str, str], instant: datetime) -> list[types.PriceVariant]:
    return [v for v in _variants(model, context) if v.constraint is None or v.constraint.active(instant)]


def _missing_variants(key: PriceKey, applied: set[str]) -> list[str]:
    """What was requested that no valid price considers: such a call is priced at the standard rate, and says so."""
    priced = {pair.partition("=")[0] for pair in applied}
    return [
        f"{name}={value}"
        for name, value in sorted(context_of(key).items())
        if name not in priced and value not in STANDARD.get(name, ())
    ]


def _tiers(prices: types.ModelPrice) -> list[types.Tier]:
    return [tier for price in vars(prices).values() if isinstance(price, types.TieredPrices) for tier in price.tiers]


def _any_instant(valid: Period, seconds: tuple[int, int]) -> datetime:
    """An instant whose date and hour are those of a segment: all that the catalogue's constraints look at."""
    start, end = valid
    day = start or (end - timedelta(days=1) if end else datetime(2000, 1, 1))  # noqa: DTZ001 (rows hold naive UTC)
    return (_midnight(day.date()) + timedelta(seconds=seconds[0])).replace(tzinfo=UTC)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min)


def _utc_second(bound: time) -> int:
    if bound.tzinfo is not None:
        bound = datetime.combine(date(1970, 1, 2), bound).astimezone(UTC).time()
    return bound.hour * 3600 + bound.minute * 60 + bound.second
