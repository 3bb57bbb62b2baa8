"""Which incidents a world has: where they strike, whom they concern, and how strong they must be to cost what they should.

A slot says spike type, size and time; here it gets an endpoint that is large enough, a driver that varies, and a strength
found by simulating the day with and without it: the extra cost of the *onset* day is the wanted share of that day's
normal prod/real spend. Later days keep the strength, so one that begins at ten in the morning costs more on its second.

Planned launches are in the plan too (`Planned.is_planned`): the world says that they were expected.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from benchmarks.alerts.calendar import KINDS, PILOT, WARM_UP_DAYS, Slot
from benchmarks.alerts.life import Life, burst_calls, inhabited
from demo.incidents import ADDING, ANY, Incident
from demo.traffic import USAGE, cost_usd, day_attempts, of_models
from demo.world import ENDPOINTS, MODEL, MODELS, UNKNOWN_MODELS, World, live_version, stream, unit_cost

NEUTRAL = {
    "token": 1.0,
    "deploy": 1.0,
    "retry": 0.012,
    "price_mix": 0.0,
    "unknown_model": 0.0,
    "cache": 0.0,
    "price": 1.0,
}  # strengths that do nothing
DEAR, DEAR_NAME, DEAR_FACTOR = (
    MODEL["claude-opus-4-5"],
    "claude-opus-4-1",
    3.0,
)  # the older one costs three times as much
USUAL = 0.7  # of the price mixes that can, at least so many move to a model that is in use already
FEWEST = 30  # requests a day: fewer cannot carry an incident whose size is to be true
UNKNOWN = MODEL["globex-router-preview"]
RETURNING_NAMES = ("pied-router-1", "soylent-large")  # are tried in the warm-up, and come back
# What one price of a model covers, by our names of token kinds: reasoning is billed as output.
PRICED_TOGETHER = (("uncached_input",), ("cached_input",), ("text_output", "reasoning"))
UNKNOWN_NAMES = ("globex-router-2", "hooli-chat-3", "initech-7b-instruct", "stark-reason-1", "umbrella-xl", "duff-2")
LOOKS, CLOSE = 6, 0.03  # rounds of calibration; relative error that ends them
FAILURES = np.linspace(0.12, 0.94, 165)  # of an attempt, in a retry storm
STORM = sum((0.9 * FAILURES) ** tries for tries in range(1, 5))  # extra attempts per request at each


@dataclass(frozen=True, eq=False)
class Planned:
    """An incident of a world. `kind`: of calendar.KINDS, or PILOT; `share`: nominal, `wanted`: on its onset day. `model_name`:
    what senders call its model, where the demo has no such model, and `price_factor`: that model's rates over those of the
    demo's model that takes its place. `priced_kinds`: the token kinds whose price changes.
    """

    incident: Incident
    kind: str
    share: float
    wanted: float
    pair: int | None
    model_name: str | None = None
    price_factor: float = 1.0
    priced_kinds: tuple[str, ...] = ()

    @property
    def is_pilot(self) -> bool:
        """Whether it is only the past of a model that returns."""
        return self.kind == PILOT

    @property
    def is_planned(self) -> bool:
        """Whether everybody expects it: a launch."""
        return not self.is_pilot and KINDS[self.kind].is_planned

    @property
    def spike_type(self) -> str:
        """What an alert about it should say."""
        return "unknown_model" if self.is_pilot else KINDS[self.kind].spike_type

    @property
    def dates(self) -> list[date]:
        """The UTC days it touches."""
        start, end = self.incident.start, self.incident.end
        return [start.date() + timedelta(days=place) for place in range((end - start.replace(hour=0)).days)]


@dataclass(frozen=True)
class Candidate:
    """A way to strike. `ratio`: wanted cost over that of the requests concerned; `fields` of the Incident, and `model` and
    `priced_kinds` as in Planned.
    """

    ratio: float
    fields: dict
    model: tuple[str | None, float] = (None, 1.0)
    priced_kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Spend:
    """Normal shares of prod/real spend, and USD a day; measured on the two weeks before the first incident may start."""

    usd_per_day: float
    endpoint: np.ndarray
    by_model: np.ndarray  # [endpoint, model]
    by_tenant: np.ndarray  # [endpoint, tenant]
    saved: np.ndarray  # [endpoint, model]: what the same tokens would cost more if nothing was read from a cache
    by_kind: dict[str, np.ndarray]  # [model]


def build_plan(life: Life, slots: list[Slot]) -> list[Planned]:
    """The incidents of a world, each with the strength that makes it as large as it should be."""
    return _calibrated(life, _designed(life, slots))


def _designed(life: Life, slots: list[Slot]) -> list[Planned]:
    draw, world, spend, planned = stream(life.seed, "plan"), inhabited(life), _spend(life), []
    for slot in slots:
        options = list(_candidates(slot, spend, world, slot.wanted / slot.left, draw))
        fitting = [option for option in options if _fits(slot, option)] or [_nearest(slot, options)]
        option = _choice(life, slot, fitting, planned, draw)
        incident = Incident(
            f"{slot.kind}-{slot.start:%Y%m%d}", slot.mechanism, start=slot.start, end=slot.end, **option.fields
        )
        if slot.kind == "deploy":
            incident = replace(incident, version=_bad_version(life, incident, planned))
        name, factor = option.model
        names = {"unknown_model": UNKNOWN_NAMES, PILOT: RETURNING_NAMES, "unknown_return": RETURNING_NAMES}.get(
            slot.kind
        )
        if names:
            name = names[sum(each.kind == slot.kind for each in planned) % len(names)]
        planned.append(
            Planned(incident, slot.kind, slot.share, slot.wanted, slot.pair, name, factor, option.priced_kinds)
        )
    return planned


def _spend(life: Life) -> Spend:
    world = inhabited(life)
    days = [life.first + timedelta(days=place) for place in range(max(WARM_UP_DAYS - 14, 0), WARM_UP_DAYS)]
    calls = pd.concat([day_attempts(world, day) for day in days], ignore_index=True)
    calls = calls[(calls["environment"] == 0) & (calls["data_mode"] == 0)]
    usd = cost_usd(calls)
    total, endpoint = usd.sum(), calls["endpoint"].to_numpy()

    def by(codes: np.ndarray, size: int) -> np.ndarray:
        cells = np.bincount(endpoint * size + codes, usd, minlength=len(ENDPOINTS) * size)
        return cells.reshape(len(ENDPOINTS), size) / total

    model = calls["model"].to_numpy().astype(np.int64)
    by_model = by(model, len(MODELS))
    by_tenant = by(world.user_tenant[calls["user"].to_numpy()], len(world.tenants))
    fresh = np.where(of_models("cache")[model] == "writes", 1.25, 1.0) * of_models("input_rate")[model]
    usd = np.maximum(calls["cache_read"], 0) * (fresh - of_models("cached_rate")[model]) * 1e-6
    saved = by(model, len(MODELS))
    kinds = {name: np.bincount(model, each, minlength=len(MODELS)) / total for name, each in kind_usd(calls).items()}
    return Spend(float(total / len(days)), by_model.sum(axis=1), by_model, by_tenant, saved, kinds)


def _candidates(slot: Slot, spend: Spend, world: World, share: float, draw) -> Iterator[Candidate]:
    """Every way in which an incident of the spike type could strike; `share`: of a day's spend, at the full day's rate."""
    kind = slot.mechanism
    if kind == "price":
        yield from _price_rises(share, spend)
        return
    for endpoint, own in enumerate(spend.endpoint):
        ratio, at = share / max(own, 1e-9), {"endpoint": endpoint}
        if kind in ADDING:
            yield from _adding(kind, share, spend, world, at, draw)
        elif kind in ("token", "retry"):
            yield Candidate(ratio, at)
            yield from (
                Candidate(share / part, at | {"only_model": model})
                for model, part in enumerate(spend.by_model[endpoint])
                if part < 0.9 * own and _enough(part, spend, endpoint, MODELS[model].name)
            )
        elif kind == "deploy":
            yield from (Candidate(ratio / reach, at | {"reach": reach}) for reach in (0.95, 0.95, 0.5))
        elif kind == "price_mix":
            yield from _moves(endpoint, ratio, slot.kind == "used_route")
        elif kind == "cache":
            yield from _cold_caches(endpoint, share, spend)
        else:
            yield Candidate(ratio, at | {"model": UNKNOWN, "strength": float(draw.uniform(0.3, 0.95))})
        if kind == "token":
            yield from (
                Candidate(share / part, at | {"tenant": tenant})
                for tenant, part in enumerate(spend.by_tenant[endpoint, :12])
                if _enough(part, spend, endpoint)
            )


def _enough(part: float, spend: Spend, endpoint: int, model: str | None = None) -> bool:
    """Whether a part of the spend is made of enough requests, of a model that has a price."""
    requests = part * spend.usd_per_day / unit_cost(ENDPOINTS[endpoint], model)
    return requests >= FEWEST and model not in UNKNOWN_MODELS


def _adding(kind: str, share: float, spend: Spend, world: World, at: dict, draw) -> Iterator[Candidate]:
    """Extra requests of anybody or of the largest tenant (volume), of one small user, of a tenant with many users."""
    endpoint = at["endpoint"]
    own, unit = spend.endpoint[endpoint], unit_cost(ENDPOINTS[endpoint])
    count = share * spend.usd_per_day / unit
    if kind == "volume":
        yield Candidate(share / max(own, 1e-9), at | {"strength": count})
        if endpoint % 3 == 0:  # one in four
            part = max(spend.by_tenant[endpoint, 0], 1e-9)
            yield Candidate(share / part / 3, at | {"strength": count, "tenant": 0})
    elif kind == "abuse":
        tenant = int(draw.integers(2, 25))
        user = int(draw.choice(np.flatnonzero(world.user_tenant == tenant)))
        yield Candidate(count, at | {"strength": count, "tenant": tenant, "user": user})
    else:
        tenant = int(draw.integers(3, 14))
        yield Candidate(share / max(own, 1e-9), at | {"strength": count, "tenant": tenant})
        if endpoint % 4 == 0:  # now and then everything a tenant does, everywhere
            mean = spend.usd_per_day / world.requests_per_day
            anywhere = {"endpoint": ANY, "tenant": tenant, "strength": share * spend.usd_per_day / mean}
            yield Candidate(share / spend.by_tenant[:, tenant].sum() / 2, anywhere)


def _price_rises(share: float, spend: Spend) -> Iterator[Candidate]:
    """One price of a model that is higher than it was, at every endpoint."""
    for code, model in enumerate(MODELS):
        for names in PRICED_TOGETHER:
            own = sum(spend.by_kind[name][code] for name in names)
            if model.name not in UNKNOWN_MODELS and own > 0.005:
                yield Candidate(share / own, {"endpoint": ANY, "only_model": code}, priced_kinds=names)


def _cold_caches(endpoint: int, share: float, spend: Spend) -> Iterator[Candidate]:
    """A part of an endpoint's cache hits lost, of all models or of one."""
    own = spend.saved[endpoint]
    yield Candidate(share / max(own.sum(), 1e-9), {"endpoint": endpoint, "strength": share / max(own.sum(), 1e-9)})
    for model, part in enumerate(own):
        if 0 < part < 0.9 * own.sum():
            yield Candidate(share / part, {"endpoint": endpoint, "only_model": model, "strength": share / part})


def _moves(endpoint: int, ratio: float, is_used: bool) -> Iterator[Candidate]:
    """A part of an endpoint's requests sent to a more expensive known model: one of its own, or one that it never called."""
    own, routes = unit_cost(ENDPOINTS[endpoint]), dict(ENDPOINTS[endpoint].routes)
    known = [
        (code, None, 1.0)
        for code, model in enumerate(MODELS)
        if model.name not in UNKNOWN_MODELS and (model.name in routes) == is_used
    ]
    for code, name, factor in [*known, *([] if is_used else [(DEAR, DEAR_NAME, DEAR_FACTOR)])]:
        gain = factor * unit_cost(ENDPOINTS[endpoint], MODELS[code].name) / own - 1
        if 0.3 < gain < 30:
            fields = {"endpoint": endpoint, "model": code, "strength": ratio / gain}
            yield Candidate(ratio / gain, fields, (name, factor))


# What is plausible for `ratio`: extra cost over the concerned requests' own, requests a day (abuse), or a probability.
PLAUSIBLE = {
    "volume": (0.15, 8),
    "concentration": (0.15, 8),
    "abuse": (10, 3_000),
    "token": (0.15, 6),
    "deploy": (0.15, 6),
    "retry": (0.14, 2.4),
    "price_mix": (0.08, 0.92),
    "unknown_model": (0.15, 4),
    "cache": (0.25, 1.0),
    "price": (0.15, 3),
}


def _fits(slot: Slot, option: Candidate) -> bool:
    low, high = PLAUSIBLE[slot.mechanism]
    enough = option.fields.get("strength", 1) * (1 if slot.mechanism in ADDING else 1_000) >= 8
    # a launch is announced by its endpoint
    no_name = slot.kind == "launch" and option.fields.get("tenant") is not None
    overlaps = slot.pair is not None and option.fields["endpoint"] == ANY
    return low <= option.ratio <= high and enough and not no_name and not overlaps


def _nearest(slot: Slot, options: list[Candidate]) -> Candidate:
    """Where nothing can carry the size: what falls least short, as strong as is plausible (an expensive model costs only so much)."""
    _, high = PLAUSIBLE[slot.mechanism]
    least = min(options, key=lambda option: abs(np.log(option.ratio / high)))
    strength = {"strength": min(least.fields["strength"], high)} if slot.mechanism in ("price_mix", "cache") else {}
    return replace(least, ratio=min(least.ratio, high), fields=least.fields | strength)


def _choice(life: Life, slot: Slot, options: list[Candidate], planned: list[Planned], draw) -> Candidate:
    """One of the kinds of driver, then one of its candidates, if possible far from other incidents and deploys."""
    busy = {each.incident.endpoint for each in planned if each.incident.end + timedelta(days=10) > slot.start} | {
        life.migration.endpoint
    }
    people = {each.incident.tenant for each in planned} - {None}
    free = [
        option
        for option in options
        if option.fields["endpoint"] not in busy and option.fields.get("tenant") not in people
    ]
    apart = [option for option in free if not _lately_deployed(life, option.fields["endpoint"], slot)]
    left = apart or free or options
    kinds = sorted({tuple(sorted(option.fields)) for option in left})
    kind = kinds[int(draw.integers(len(kinds)))]
    same = [option for option in left if tuple(sorted(option.fields)) == kind]
    usual = [option for option in same if option.model[0] is None]
    same = usual if usual and draw.random() < USUAL else same
    chosen = same[int(draw.integers(len(same)))]
    extra = {} if "strength" in chosen.fields else {"strength": _strength(slot.mechanism, chosen.ratio)}
    if slot.kind == "deploy":
        bloats = (("input", "output"), ("input",), ("output",))[int(draw.integers(3))] if chosen.ratio < 2 else None
        extra |= {"bloats": bloats or ("input", "output")}
    if slot.kind in ("input", "output"):
        extra |= {"bloats": (slot.kind,)}
    if slot.kind == "input":
        extra |= {"keeps_prefix": bool(draw.random() < 0.5)}
    return replace(chosen, fields=chosen.fields | extra)


def _lately_deployed(life: Life, endpoint: int, slot: Slot) -> bool:
    if endpoint == ANY:
        return False
    deployed = live_version(life.seed, endpoint, slot.end.date()).day
    return (slot.start.date() - deployed).days <= 5


def _bad_version(life: Life, incident: Incident, planned: list[Planned]) -> str:
    """The label of the deploy that goes wrong, never used before."""
    day = incident.start.date()
    label = live_version(life.seed, incident.endpoint, day).label
    stem = f"{day}" if ENDPOINTS[incident.endpoint].dated else f"{label}."
    used = {each.incident.version for each in planned}
    tails = "bcdefg" if ENDPOINTS[incident.endpoint].dated else "123456"
    return next(stem + tail for tail in tails if stem + tail not in used)


def _strength(kind: str, ratio: float) -> float:
    """The strength that adds `ratio` times the cost of the requests concerned."""
    return float(np.interp(ratio, STORM, FAILURES)) if kind == "retry" else 1 + ratio


# ---- calibration


def _calibrated(life: Life, planned: list[Planned]) -> list[Planned]:
    """Looks at every onset day, corrects the strengths, looks again; keeps what came closest to the wanted share.

    Overlapping incidents are kept or changed together: how many requests one adds decides which draws the other meets.
    """
    together = [
        {code for code, other in enumerate(planned) if other is plan or other.pair == plan.pair is not None}
        for plan in planned
    ]
    best, errors = list(planned), np.full(len(planned), np.inf)
    for _ in range(LOOKS):
        unfinished = [code for code in range(len(planned)) if errors[code] >= CLOSE]
        measured = _look(life, planned, {planned[code].incident.start.date() for code in unfinished})
        found = {code: _priced(planned[code], one) for code, one in measured.items()}
        missed = {code: abs(np.log(max(achieved, 1e-6) / plan.wanted)) for code, (plan, achieved) in found.items()}
        for code in unfinished:
            worst = max(missed.get(other, np.inf) for other in together[code])
            if worst < errors[code]:
                best[code], errors[code] = found[code][0], worst
        if errors.max() < CLOSE:
            break
        planned = list(best)
        for code in unfinished:
            if errors[code] >= CLOSE:
                planned[code] = _corrected(*found[code]) if missed[code] >= CLOSE else found[code][0]
    return best


@dataclass(frozen=True)
class Measured:
    """USD in prod/real on the onset day: of the calls concerned with and without the incident, and of a normal day."""

    with_it: float
    without: float
    normal: float


def _look(life: Life, planned: list[Planned], days: set[date]) -> dict[int, Measured]:
    """What the incidents do that begin on one of the days, by their place in the plan."""
    effects = {day: Day.simulate(life, planned, day) for day in days}
    begun = {code: effects.get(plan.incident.start.date()) for code, plan in enumerate(planned)}
    return {code: Measured(*day.effect(code), day.normal()) for code, day in begun.items() if day}


def _priced(plan: Planned, found: Measured) -> tuple[Planned, float]:
    """The plan, for an unknown model with the rates that make its cost right; and the share it achieves."""
    if plan.incident.kind != "unknown_model":
        return plan, (found.with_it - found.without) / found.normal
    own_rates = max(found.with_it / plan.price_factor, 1e-9)
    factor = (plan.wanted * found.normal + found.without) / own_rates
    return replace(plan, price_factor=factor), (factor * own_rates - found.without) / found.normal


def _corrected(plan: Planned, achieved: float) -> Planned:
    incident, ratio = plan.incident, float(np.clip(plan.wanted / max(achieved, 1e-6), 0.25, 4))
    if incident.kind in ADDING:
        strength = incident.strength * ratio
    elif incident.kind == "retry":
        strength = _strength("retry", ratio * float(np.interp(incident.strength, FAILURES, STORM)))
    elif incident.kind == "price_mix":
        strength = min(incident.strength * ratio, 0.95)
    elif incident.kind == "cache":
        strength = min(incident.strength * ratio, 1.0)
    elif incident.kind == "unknown_model":
        strength = incident.strength
    else:
        strength = float(np.clip(1 + (incident.strength - 1) * ratio, 1.05, 12))
    return replace(plan, incident=replace(incident, strength=strength))


@dataclass(frozen=True, eq=False)
class Day:
    """A simulated day. `calls` have `usd`, and `extra_usd`: what each would not have cost without its incident.

    Requests that incidents change are simulated a second time without any: the draws are the same, so the difference is
    the incident. What a changed request would have cost is with its first attempt, as a negative part of `extra_usd`.
    """

    calls: pd.DataFrame

    @classmethod
    def simulate(cls, life: Life, planned: list[Planned], day: date) -> "Day":
        """The calls whose requests are first tried on `day`."""
        incidents = tuple(plan.incident for plan in planned)
        world = inhabited(life, incidents)
        calls = day_attempts(world, day)
        calls["usd"] = _usd(life, planned, calls)
        calls["extra_usd"] = np.where(calls["incident"] >= 0, calls["usd"], 0.0)
        changed = (calls["incident"] >= 0) & ~calls["extra"]
        if changed.any():
            neutral = tuple(replace(each, strength=NEUTRAL.get(each.kind, each.strength)) for each in incidents)
            plain = day_attempts(inhabited(life, neutral), day)
            plain_usd = np.bincount(plain["request"], cost_usd(plain) * life.cost_factor(plain))
            first = (changed & (calls["attempt"] == 1)).to_numpy()
            calls.loc[first, "extra_usd"] -= plain_usd[calls.loc[first, "request"]]
        return cls(calls)

    def _normal_rows(self) -> np.ndarray:
        return ((self.calls["environment"] == 0) & (self.calls["data_mode"] == 0)).to_numpy()

    def effect(self, code: int) -> tuple[float, float]:
        """USD of an incident's calls, and what they would have cost without it."""
        own = self.calls[self._normal_rows() & (self.calls["incident"] == code).to_numpy()]
        usd = float(own["usd"].sum())
        return usd, usd - float(own["extra_usd"].sum())

    def normal(self) -> float:
        """USD the day would have cost without incidents."""
        rows = self.calls[self._normal_rows()]
        return float(rows["usd"].sum() - rows["extra_usd"].sum())


def kind_tokens(calls: pd.DataFrame) -> dict[str, np.ndarray]:
    """The disjoint counts of each call, by our names of token kinds; 0 where nothing is stated."""
    tokens = {column: np.maximum(calls[column].to_numpy().astype(np.int64), 0) for column in USAGE}
    return {
        "uncached_input": tokens["input"] - tokens["cache_read"] - tokens["cache_write"],
        "cached_input": tokens["cache_read"],
        "cache_write_5m": tokens["cache_write"] - tokens["cache_write_1h"],
        "cache_write_1h": tokens["cache_write_1h"],
        "text_output": tokens["output"] - tokens["reasoning"],
        "reasoning": tokens["reasoning"],
        "web_searches": tokens["searches"],
    }


def kind_usd(calls: pd.DataFrame) -> dict[str, np.ndarray]:
    """Approximate USD of each call by token kind, from the world's own rates: together demo.traffic.cost_usd."""
    rate = {name: of_models(f"{name}_rate")[calls["model"]] * 1e-6 for name in ("input", "cached", "output")}
    usd_per_token = {
        "uncached_input": rate["input"],
        "cached_input": rate["cached"],
        "cache_write_5m": 1.25 * rate["input"],
        "cache_write_1h": 2 * rate["input"],
        "text_output": rate["output"],
        "reasoning": rate["output"],
    }
    batch = np.where(calls["batch"], 0.5, 1.0)
    tokens = kind_tokens(calls)
    return {name: tokens[name] * usd * batch for name, usd in usd_per_token.items()} | {
        "web_searches": tokens["web_searches"] * 0.01
    }


def true_kind_usd(life: Life, planned: list[Planned], calls: pd.DataFrame) -> dict[str, np.ndarray]:
    """What each kind of a call really costs: the price cut, the rates of each incident's own model, and a changed price."""
    factors = np.array([*(plan.price_factor for plan in planned), 1.0])  # the last one: no incident
    everything = life.cost_factor(calls) * factors[calls["incident"]]
    found = {}
    for name, usd in kind_usd(calls).items():
        risen = [plan.incident.strength if name in plan.priced_kinds else 1.0 for plan in planned]
        found[name] = usd * everything * np.array([*risen, 1.0])[calls["incident"]]
    return found


def _usd(life: Life, planned: list[Planned], calls: pd.DataFrame) -> np.ndarray:
    return np.sum(list(true_kind_usd(life, planned, calls).values()), axis=0)


def with_bursts(life: Life, calls: pd.DataFrame, day: date) -> pd.DataFrame:
    """The day's calls and those of its bursts in staging and test, numbered on."""
    for burst in (each for each in life.bursts if each.day == day):
        more = burst_calls(inhabited(life), burst)
        more["request"] += int(calls["request"].max()) + 1
        more["usd"], more["extra_usd"] = cost_usd(more) * life.cost_factor(more), 0.0
        calls = pd.concat([calls, more], ignore_index=True)
    return calls
