"""docs/incidents.md on weeks in plain Python, from the calls: what the weekly marts are measured against."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import permutations
from typing import NamedTuple

WEEK = timedelta(days=7)
EFFECTS = ("volume", "mix", "retry", "token", "price")
NOTHING = Decimal(0)


@dataclass(frozen=True)
class Call:
    """An attempt: what a week says of it. `units` and `usd` by token kind; `variant` is unknown without usage."""

    day: date
    environment: str
    mode: str
    endpoint: str
    version: str
    tenant: str
    user: str
    model: str
    variant: str | None
    cost: Decimal | None
    is_first_try: bool
    pricing: str
    usage: str
    duplicates: int = 0
    units: dict[str, int] = field(default_factory=dict)
    usd: dict[str, Decimal] = field(default_factory=dict)


class Week(NamedTuple):
    """A row of weekly_summary."""

    environment: str
    mode: str
    iso_week: str
    days_with_usage: int
    requests: int
    attempts: int
    spend: Decimal | None
    previous: Decimal | None
    change: Decimal | None
    unpriced: int
    missing_usage: int
    duplicates: int
    estimated: Decimal | None
    estimated_share: float | None
    is_understated: bool


class Member(NamedTuple):
    """A row of weekly_drivers."""

    dimension: str
    rank: int
    member: str
    spend: Decimal | None
    previous: Decimal | None
    change: Decimal | None


DIMENSIONS = {
    "endpoint": lambda call: call.endpoint,
    "prompt_version": lambda call: f"{call.endpoint} | {call.version}",
    "tenant": lambda call: call.tenant,
    "user": lambda call: call.user,
    "model": lambda call: call.model,
}


def monday(day: date) -> date:
    """The first day of an ISO week."""
    return day - timedelta(days=day.weekday())


def by_week(calls: Iterable[Call]) -> dict[tuple[str, str, date], list[Call]]:
    """Calls by environment, data mode and Monday."""
    weeks = defaultdict(list)
    for call in calls:
        weeks[call.environment, call.mode, monday(call.day)].append(call)
    return weeks


def mondays_of(calls: dict[tuple[str, str, date], list[Call]], budgeted: set, running: date) -> Iterator[tuple]:
    """The weeks that a scope has a row for: from its first to the one after its last, and where a budget is not ok."""
    for environment, mode in sorted({key[:2] for key in calls}):
        active = [key[2] for key in calls if key[:2] == (environment, mode)]
        between = {min(active) + number * WEEK for number in range((max(active) - min(active)).days // 7 + 2)}
        named = {key[2] for key in budgeted if key[:2] == (environment, mode)}
        yield from ((environment, mode, each) for each in sorted(named | {each for each in between if each <= running}))


def spend(calls: list[Call]) -> Decimal | None:
    """What calls cost: unknown where none has a price, nothing where there is none."""
    known = [call.cost for call in calls if call.cost is not None]
    return sum(known, NOTHING) if known or not calls else None


def weeks(calls: dict[tuple[str, str, date], list[Call]], budgeted: set, running: date) -> Iterator[Week]:
    """Every row; a week that is not over, or has no row before it, has no change."""
    rows = list(mondays_of(calls, budgeted, running))
    for environment, mode, start in rows:
        own, before = calls.get((environment, mode, start), []), (environment, mode, start - WEEK)
        previous = spend(calls.get(before, [])) if before in rows else None
        spent = spend(own)
        estimates = [call.cost for call in own if call.usage == "estimate" and call.cost is not None]
        unpriced = sum(call.pricing == "unpriced" for call in own)
        missing = sum(call.usage == "missing" for call in own)
        year, number, _ = start.isocalendar()
        yield Week(
            *(environment, mode, f"{year}-W{number:02}"),
            days_with_usage=len({call.day for call in own}),
            requests=sum(call.is_first_try for call in own),
            attempts=len(own),
            spend=spent,
            previous=previous,
            change=spent - previous if start < running and spent is not None and previous is not None else None,
            unpriced=unpriced,
            missing_usage=missing,
            duplicates=sum(call.duplicates for call in own),
            estimated=None if spent is None else sum(estimates, NOTHING),
            estimated_share=float(sum(estimates, NOTHING)) / float(spent) if spent else None,
            is_understated=bool(unpriced or missing),
        )


def members(now: list[Call], before: list[Call], has_previous: bool, is_over: bool) -> Iterator[Member]:
    """The five of each dimension that changed most; of equal ones the larger, then the first by name."""
    for dimension, name_of in DIMENSIONS.items():
        sides = [defaultdict(list), defaultdict(list)]
        for calls, side in zip((now, before), sides, strict=True):
            for call in calls:
                side[name_of(call)].append(call)
        names = sides[0].keys() | sides[1].keys()
        found = [(name, *(_of_member(side.get(name, [])) for side in sides)) for name in names]

        def place(row: tuple) -> tuple:
            name, spent, previous = row
            change = None if spent is None or previous is None else abs(spent - previous)
            return change is None, -(change or 0), spent is None, -(spent or 0), name

        for rank, (name, spent, previous) in enumerate(sorted(found, key=place)[:5], start=1):
            is_known = has_previous and is_over and spent is not None and previous is not None
            yield Member(
                dimension,
                rank,
                name,
                spent,
                previous if has_previous else None,
                spent - previous if is_known else None,
            )


def _of_member(calls: list[Call]) -> Decimal | None:
    """Unknown where calls have no price, and nothing where they failed without usage."""
    cost = sum((call.cost for call in calls if call.cost is not None), NOTHING)
    return cost if cost or not any(call.pricing == "unpriced" for call in calls) else None


def effects(now: list[Call], before: list[Call]) -> dict[str, float]:
    """Why a week cost another amount than the one before: each factor's change, averaged over all orders."""
    sides = (before, now)
    requests = [sum(call.is_first_try for call in side) for side in sides]
    found = dict.fromkeys(EFFECTS, 0.0)
    for endpoint, model in {(call.endpoint, call.model) for call in [*before, *now]}:
        of_model = [[call for call in side if (call.endpoint, call.model) == (endpoint, model)] for side in sides]
        for variant in {call.variant for side in of_model for call in side} - {None}:
            for effect, usd in _of_cell(of_model, variant, requests).items():
                found[effect] += usd
    return found


def _of_cell(of_model: list[list[Call]], variant: str, all_requests: list[int]) -> dict[str, float]:
    cells = [[call for call in side if call.variant == variant] for side in of_model]
    # calls without usage have no variant, and are divided among those of their model
    parts = [
        len(cell) / known if (known := sum(call.variant is not None for call in side)) else None
        for cell, side in zip(cells, of_model, strict=True)
    ]
    parts = [own if own is not None else (other or 0) for own, other in (parts, parts[::-1])]
    requests = [sum(call.is_first_try for call in side) * part for side, part in zip(of_model, parts, strict=True)]
    attempts = [len(side) * part for side, part in zip(of_model, parts, strict=True)]
    kinds = {kind for cell in cells for call in cell for kind in call.units}
    usd = {kind: [float(sum(call.usd.get(kind, NOTHING) for call in cell)) for cell in cells] for kind in kinds}
    if any(not requests[side] and any(amounts[side] for amounts in usd.values()) for side in (0, 1)):
        return {"retry": sum(amounts[1] - amounts[0] for amounts in usd.values())}  # the first try was elsewhere
    found = dict.fromkeys(EFFECTS, 0.0)
    for kind in kinds:
        units = [sum(call.units.get(kind, 0) for call in cell) for cell in cells]
        rates = [
            (attempts[side] / requests[side], units[side] / attempts[side])
            if requests[side] and attempts[side]
            else None
            for side in (0, 1)
        ]
        prices = [usd[kind][side] / units[side] if units[side] else None for side in (0, 1)]
        own = [(rates[side] or rates[1 - side] or (0, 0)) for side in (0, 1)]
        price = [prices[side] if prices[side] is not None else (prices[1 - side] or 0) for side in (0, 1)]
        factors = [(requests[side], *own[side], price[side]) for side in (0, 1)]
        by_requests, retry, token, by_price = _shapley(*factors)
        shares = [requests[side] / all_requests[side] if all_requests[side] else 0 for side in (0, 1)]
        moved = requests[1] - requests[0]
        volume = (all_requests[1] - all_requests[0]) * sum(shares) / 2
        mix = (shares[1] - shares[0]) * sum(all_requests) / 2
        weight = _weight_of_first(*factors)
        assert abs(moved - volume - mix) < 1e-9
        assert abs(by_requests - moved * weight) < 1e-9
        for effect, amount in zip(EFFECTS, (volume * weight, mix * weight, retry, token, by_price), strict=True):
            found[effect] += amount
    return found


def _shapley(before: tuple[float, ...], now: tuple[float, ...]) -> list[float]:
    found = [0.0] * len(before)
    orders = list(permutations(range(len(before))))
    for order in orders:
        at = list(before)
        for factor in order:
            was = _product(at)
            at[factor] = now[factor]
            found[factor] += (_product(at) - was) / len(orders)
    return found


def _weight_of_first(before: tuple[float, ...], now: tuple[float, ...]) -> float:
    """What one unit more of the first factor costs, averaged over all orders."""
    return _shapley((0, *before[1:]), (1, *now[1:]))[0]


def _product(factors: list[float]) -> float:
    found = 1.0
    for factor in factors:
        found *= factor
    return found
