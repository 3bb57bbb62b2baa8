"""The everyday life of a world: noise, growth, and the events that look like incidents and are none (hard negatives)."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache

import numpy as np
import pandas as pd

from benchmarks.alerts.calendar import WARM_UP_DAYS, Slot, first_day
from demo.traffic import day_attempts, midnight
from demo.world import (
    ENDPOINT,
    ENDPOINTS,
    MODEL,
    MODELS,
    UNKNOWN_MODELS,
    Scenario,
    World,
    build_world,
    stream,
    unit_cost,
    weekday_factor,
    zipf,
)

NEWCOMER, NEWCOMER_USERS, RAMP_DAYS = "newcomer-ltd", 20, 14
PROMOTION, MONTH_START, GROWTH_WEEK = 1.15, 1.08, 1.015  # factors on all requests; the last one a day, for a week
CACHING, LONG_INPUT = 5, 4_000  # endpoints; tokens of a prompt that is worth caching
MIGRATES = ("docs.summarize", "search.answer", "docs.extract", "support.draft", "code.review", "reports.sql")
BURST_SETTINGS = ((1, 0), (0, 1), (1, 1))  # codes of (environment, data mode): staging real, prod test, staging test


@dataclass(frozen=True)
class Noise:
    """Logarithms by day (row): of endpoints' requests and token counts, of tenants' and users' shares."""

    requests: np.ndarray
    tokens: np.ndarray
    tenants: np.ndarray
    users: np.ndarray


@dataclass(frozen=True)
class Burst:
    """Requests at one endpoint in staging or test that no production monitor should mind."""

    day: date
    endpoint: int
    setting: tuple[int, int]
    requests: int


@dataclass(frozen=True)
class Migration:
    """From a day on, `endpoint` calls another model for the same dollars: another known one, or a successor."""

    day: date
    endpoint: int
    model: int
    to_model: int | None  # None: the successor, which has the same rates under another name
    token_factor: float

    @property
    def to_name(self) -> str:
        """The model as senders name it after the migration."""
        return f"{MODELS[self.model].name}-next" if self.to_model is None else MODELS[self.to_model].name


@dataclass(frozen=True, eq=False)
class Life:
    """What happens every day and is not an incident. Days are dates; `weekday_power` makes weekends deeper or shallower."""

    seed: int
    first: date
    days: int
    liveliness: float  # 0: quiet, 1: lively
    growth_per_day: float
    weekday_power: float
    onboarding: tuple[date, float]  # first day, share of all requests after the ramp
    growth_week: date
    promotion: date | None
    price_cut: tuple[date, int, float]  # first day, model, factor on its rates
    migration: Migration
    bursts: tuple[Burst, ...]
    caching: tuple[tuple[int, float, float], ...]  # endpoint, share of calls that hit, cacheable share of the input
    requests_per_day: int
    newcomers: int = NEWCOMER_USERS

    def place(self, day: date) -> int:
        """The row of a day in the noise."""
        return min(max((day - self.first).days, 0), self.days)

    def request_factor(self, day: date) -> np.ndarray:
        """On the requests of each endpoint."""
        place, week = self.place(day), (day - self.growth_week).days + 1
        factor = np.exp(self.growth_per_day * (place - self.days / 2)) * GROWTH_WEEK ** min(max(week, 0), 7)
        factor *= weekday_factor(day) ** (self.weekday_power - 1) * (1 + self.newcomer_share(day))
        factor *= (PROMOTION if day == self.promotion else 1) * (MONTH_START if day.day == 1 else 1)
        return factor * np.exp(noise(self)[0].requests[place])

    def newcomer_share(self, day: date) -> float:
        """Requests of the new tenant, as a share of all the others'."""
        first, share = self.onboarding
        return share * min(max((day - first).days + 1, 0) / RAMP_DAYS, 1)

    def user_share(self, day: date) -> np.ndarray:
        """Of each user of the world, newcomers last."""
        swings, base = noise(self)
        world, place = base, self.place(day)
        share = world.user_share * np.exp(swings.tenants[place][world.user_tenant] + swings.users[place])
        ramp = self.newcomer_share(day)
        return np.concatenate([share / share.sum(), ramp * zipf(self.newcomers, 0.8)]) / (1 + ramp)

    def change(self, day: date, requests: pd.DataFrame) -> None:
        """Token noise, how much is cached, and the migration, in place."""
        for endpoint, hit, part in self.caching:
            requests.loc[requests["endpoint"] == endpoint, ["cache_hit", "cache_part"]] = (hit, part)
        tokens = np.exp(noise(self)[0].tokens[self.place(day)])[requests["endpoint"]]
        move = self.migration
        moved = (requests["endpoint"] == move.endpoint) & (requests["model"] == move.model)
        moved = (moved & (requests["at"] >= midnight(move.day))).to_numpy()
        factor = tokens * np.where(moved, move.token_factor, 1.0)
        for column in ("input", "output", "plain_input", "plain_output"):
            counts = requests[column].to_numpy()
            requests[column] = np.where(counts > 0, np.maximum(counts * factor, 1), counts).astype(np.int64)
        if move.to_model is not None:
            requests.loc[moved, ["model", "plain_model"]] = move.to_model

    def cost_factor(self, calls: pd.DataFrame) -> np.ndarray:
        """On the cost of each call: the price cut."""
        day, model, factor = self.price_cut
        return np.where((calls["model"] == model) & (calls["at"] >= midnight(day)), factor, 1.0)


@cache
def noise(life: Life) -> tuple[Noise, World]:
    """Drawn once: half of the swing of an endpoint lasts for some days, the rest is new every day."""
    draw, lively, world = stream(life.seed, "noise"), life.liveliness, build_world(life.seed, life.requests_per_day)
    rows = life.days + 1
    requests = _swings(draw, rows, len(ENDPOINTS), 0.02 + 0.08 * lively)
    requests = requests + _swings(draw, rows, 1, 0.005 + 0.025 * lively)
    tokens = _swings(draw, rows, len(ENDPOINTS), 0.01 + 0.03 * lively)
    tenants = _swings(draw, rows, len(world.tenants), 0.05 + 0.20 * lively)
    users = _swings(draw, rows, len(world.users), 0.10 + 0.30 * lively)
    return Noise(requests, tokens, tenants, users), world


def _swings(draw, rows: int, columns: int, sigma: float) -> np.ndarray:
    fresh, lasting = draw.normal(0, sigma * 0.5**0.5, (2, rows, columns))
    for row in range(1, rows):
        lasting[row] = 0.7 * lasting[row - 1] + (1 - 0.7**2) ** 0.5 * lasting[row]
    return fresh + lasting


def build_life(seed: int, days: int, requests_per_day: int, slots: list[Slot]) -> Life:
    """The life of a seed. The promotion does not overlap incidents; the rest may coincide with them, as it would."""
    draw, first = stream(seed, "life"), first_day(seed, days)

    def later(margin: int) -> date:
        return first + timedelta(days=int(draw.integers(WARM_UP_DAYS, max(days - margin, WARM_UP_DAYS + 1))))

    touched = {day + timedelta(days=shift) for slot in slots for day in slot.dates for shift in (-1, 0, 1, 2)}
    quiet = [
        day for day in (first + timedelta(days=place) for place in range(WARM_UP_DAYS, days)) if day not in touched
    ]
    cut = [code for code, model in enumerate(MODELS) if model.name not in UNKNOWN_MODELS and model.output_rate >= 2]
    return Life(
        seed=seed,
        first=first,
        days=days,
        liveliness=float(draw.random()),
        growth_per_day=float(draw.uniform(-0.001, 0.003)),
        weekday_power=float(draw.uniform(0.5, 1.3)),
        onboarding=(later(RAMP_DAYS + 2), float(draw.uniform(0.02, 0.04))),
        growth_week=later(8),
        promotion=quiet[int(draw.integers(len(quiet)))] if quiet else None,
        price_cut=(later(3), int(draw.choice(cut)), float(draw.uniform(0.65, 0.85))),
        migration=_migration(later(3), draw),
        bursts=tuple(_burst(later(0), requests_per_day, draw) for _ in range(3)),
        caching=_caching(seed),
        requests_per_day=requests_per_day,
    )


def _caching(seed: int) -> tuple[tuple[int, float, float], ...]:
    """Endpoints with long prompts whose team cares for the cache; the demo's few others keep what they have."""
    draw = stream(seed, "caching")
    long = [code for code, endpoint in enumerate(ENDPOINTS) if endpoint.input_tokens >= LONG_INPUT]
    chosen = sorted(int(code) for code in draw.choice(long, CACHING, replace=False))
    return tuple((code, float(draw.uniform(0.6, 0.95)), float(draw.uniform(0.5, 0.9))) for code in chosen)


def _migration(day: date, draw) -> Migration:
    """Half to a successor with the same rates, half to another known model with as many more or fewer tokens."""
    endpoint = ENDPOINT[str(draw.choice(MIGRATES))]
    name = ENDPOINTS[endpoint].routes[0][0]
    own = unit_cost(ENDPOINTS[endpoint], name)
    known = [other.name for other in MODELS if other.name not in UNKNOWN_MODELS and other.name != name]
    ratios = {other: own / unit_cost(ENDPOINTS[endpoint], other) for other in known}
    near = [other for other in known if 0.6 <= ratios[other] <= 1.7]
    if not near or draw.random() < 0.5:
        return Migration(day, endpoint, MODEL[name], None, 1.0)
    other = str(draw.choice(near))
    return Migration(day, endpoint, MODEL[name], MODEL[other], ratios[other])


def _burst(day: date, requests_per_day: int, draw) -> Burst:
    dear = [code for code, endpoint in enumerate(ENDPOINTS) if unit_cost(endpoint) > 0.005]
    setting = BURST_SETTINGS[int(draw.integers(len(BURST_SETTINGS)))]
    return Burst(day, int(draw.choice(dear)), setting, int(requests_per_day * draw.uniform(0.2, 0.6)))


def inhabited(life: Life, incidents: tuple = ()) -> World:
    """The world of a life: the demo's of the same seed, the newcomer's users added, under this scenario."""
    world = noise(life)[1]
    return replace(
        world,
        tenants=(*world.tenants, NEWCOMER),
        users=(*world.users, *(f"n-{number}" for number in range(1, life.newcomers + 1))),
        user_tenant=np.concatenate([world.user_tenant, np.full(life.newcomers, len(world.tenants))]),
        scenario=Scenario(incidents, life.request_factor, life.user_share, life.change),
    )


def burst_calls(world: World, burst: Burst) -> pd.DataFrame:
    """The calls of a burst, as if its endpoint were the only one."""
    only = np.zeros(len(ENDPOINTS))
    only[burst.endpoint] = 1
    usual = replace(world.scenario, incidents=(), request_factor=lambda _day: only)
    mean = ENDPOINTS[burst.endpoint].share / sum(endpoint.share for endpoint in ENDPOINTS)
    there = replace(world, requests_per_day=burst.requests / mean, scenario=usual)
    calls = day_attempts(there, burst.day)
    calls["environment"], calls["data_mode"] = np.int8(burst.setting[0]), np.int8(burst.setting[1])
    return calls
