"""docs/pricing.md on calls without a price in plain Python: what such calls may cost, from the calls and the price book."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple

INPUT = (
    *("uncached_input", "cached_input", "cache_write_5m", "cache_write_30m", "cache_write_1h", "cache_write_12h"),
    *("uncached_audio", "cached_audio", "uncached_image", "cached_image", "input_video"),
)
OUTPUT = ("text_output", "reasoning", "output_audio", "output_image", "output_video")
FEES = ("web_searches", "billed_requests")
KINDS = (*INPUT, *OUTPUT, *FEES)
FEWEST = 5  # prices that give a range
MOST_UNITS = 10**15  # of a kind, from which on nothing is known
QUANTILES = {"low": 10, "likely": 50, "high": 90}  # per cent


class Model(NamedTuple):
    """What a row of unpriced_models is about."""

    environment: str
    mode: str
    provider: str
    name: str


@dataclass(frozen=True)
class Used:
    """A call: what it cost, or else what its likely cost depends on. `units` by token kind."""

    model: Model
    at: datetime
    is_future: bool
    endpoint: str
    pricing: str
    usage: str | None
    cost: Decimal | None
    input_tokens: int | None
    units: dict[str, int]

    @property
    def day(self) -> date:
        """UTC."""
        return self.at.date()


@dataclass(frozen=True)
class Price:
    """A row of price_book; `rates` by token kind, USD per unit."""

    provider: str
    name: str
    tenant: str | None
    variant: str | None
    missing_variant: str | None
    from_second: int | None
    from_tokens: int
    since: datetime
    until: datetime
    key: str
    rates: dict[str, Decimal | None]

    def rate(self, kind: str) -> Decimal:
        """What has no price of its own costs what it is part of; a fee that nobody names is none."""
        whole = "uncached_input" if kind in INPUT else "text_output"
        own = self.rates[kind]
        other = Decimal(0) if kind in FEES else self.rates[whole]
        found = own if own is not None else other
        assert found is not None
        return found

    def cost(self, units: dict[str, int]) -> Decimal:
        """USD."""
        return sum((self.rate(kind) * number for kind, number in units.items()), Decimal(0))


def prices_of(calls: Iterable[Used], book: list[Price]) -> dict[Model, dict[str, Price] | None]:
    """By model without a price: the price that gives its low, its likely and its high estimate; None where nothing is known."""
    everything = list(calls)
    unpriced: dict[Model, list[Used]] = defaultdict(list)
    for call in everything:
        if call.pricing == "unpriced":
            unpriced[call.model].append(call)
    found: dict[Model, dict[str, Price] | None] = {}
    for model, own in unpriced.items():
        units = units_of(own)
        costs = sorted(
            (price.cost(units), price.provider, price.name, price.from_tokens, price)
            for price in _neighbours(model, own, everything, book)
        )
        is_known = costs and max(units.values()) < MOST_UNITS
        places = {name: -(-len(costs) * percent // 100) for name, percent in QUANTILES.items()}
        found[model] = {name: costs[place - 1][-1] for name, place in places.items()} if is_known else None
    return found


def exposure(calls: Iterable[Used], prices: dict[Model, dict[str, Price] | None], quantile: str) -> Decimal | None:
    """USD that the calls without a price among these may cost, each at the price of its model; None where one's is unknown."""
    found = [(prices[call.model], call.units) for call in calls if call.pricing == "unpriced"]
    known = [price[quantile].cost(units) for price, units in found if price]
    return sum(known, Decimal(0)) if len(known) == len(found) else None


def units_of(calls: Iterable[Used]) -> dict[str, int]:
    """The units of all calls by token kind."""
    units = dict.fromkeys(KINDS, 0)
    for call in calls:
        for kind, number in call.units.items():
            units[kind] += number
    return units


def _neighbours(model: Model, own: list[Used], calls: list[Used], book: list[Price]) -> list[Price]:
    """The model's own prices, or else the groups of others until they have enough."""
    last = max(call.day for call in own)
    largest = max(call.input_tokens or 0 for call in own)
    standard = _standard(book, model, last, largest)
    used_here = {call.model[2:] for call in calls if call.pricing == "priced"}
    endpoints = {call.endpoint for call in own}
    at_endpoints = {
        call.model[2:]
        for call in calls
        if call.pricing == "priced"
        and call.endpoint in endpoints
        and call.model[:2] == model[:2]
        and last - timedelta(days=27) <= call.day <= last
    }
    groups = [
        lambda name: name == model[2:],
        lambda name: name[0] == model.provider and name in used_here,
        lambda name: name in at_endpoints,
        lambda _: True,
    ]
    found: list[Price] = []
    for number, is_in in enumerate(groups):
        if (number == 1 and found) or len(found) >= FEWEST:
            break
        found += [price for price in standard if is_in((price.provider, price.name)) and price not in found]
    return found


def _standard(book: list[Price], model: Model, last: date, largest: int) -> list[Price]:
    """One price for each model and tier: the standard one, of those that hold the one of the last day of use."""
    at, of_tier = datetime.combine(last, time()), dict[tuple, list[Price]]()
    for price in book:
        is_text = price.rates["uncached_input"] is not None and price.rates["text_output"] is not None
        holds = price.since <= at < price.until
        is_own = (price.provider, price.name) == model[2:]
        if is_text and (holds or is_own) and price.from_tokens <= largest:
            of_tier.setdefault((price.provider, price.name, price.from_tokens), []).append(price)

    def place(price: Price) -> tuple:
        scope = [(name is not None, name or "") for name in (price.tenant, price.variant, price.missing_variant)]
        return (*scope, price.from_second or 0, price.since > at, abs(price.since - at), price.key)

    return [min(prices, key=place) for prices in of_tier.values()]
