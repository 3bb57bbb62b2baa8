"""The demo's catalogue: models, endpoints, tenants and users, and which prompt version is live on a day."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache

import numpy as np
import pandas as pd

# The demo ends on a fixed day, so that it is the same on every machine and in every year.
DEMO_END = date(2026, 11, 22)
SEASON_DAYS = 60
SEASON_START = DEMO_END - timedelta(days=SEASON_DAYS - 1)
GROWTH_PER_DAY = 0.002  # 60 days carry the traffic up by about an eighth
DEFAULT_VOLUME = 5_000  # requests per day at which there are 40 tenants and 700 users
SERVICE_ACCOUNT = "svc-nightly-eval"  # sends no tenantId; the product's identity map knows whose it is


@dataclass(frozen=True)
class Model:
    """One model as senders name it; rates in USD per million tokens, approximate, for `costUsd` and the truth."""

    name: str
    provider: str
    input_rate: float
    cached_rate: float
    output_rate: float
    cache: str = "none"  # what the provider reports: none, reads, or reads and writes
    reasoning: float = 0.0  # mean share of the output that is reasoning; 0: the model reports none
    ms_per_token: float = 12.0


MODELS = (
    Model("claude-sonnet-4-5", "anthropic", 3, 0.3, 15, "writes", ms_per_token=14),
    Model("claude-haiku-4-5", "anthropic", 1, 0.1, 5, "writes", ms_per_token=6),
    Model("claude-opus-4-5", "anthropic", 5, 0.5, 25, "writes", ms_per_token=18),
    Model("gpt-5.2", "openai", 1.75, 0.175, 14, "reads", 0.45, 13),
    Model("gpt-5-mini", "openai", 0.25, 0.025, 2, "reads", 0.35, 7),
    Model("gpt-4o-mini", "openai", 0.15, 0.075, 0.6, "reads", ms_per_token=8),
    Model("gemini-2.5-pro", "google", 1.25, 0.125, 10, "reads", 0.5, 11),
    Model("gemini-2.5-flash", "google", 0.3, 0.03, 2.5, "reads", 0.25, 5),
    Model("gemini-2.5-flash-lite", "google", 0.1, 0.01, 0.4, "reads", ms_per_token=4),
    Model("text-embedding-3-small", "openai", 0.02, 0.02, 0, ms_per_token=0),
    Model("mistral-large-2411", "mistral", 2, 2, 6, ms_per_token=11),
    Model("deepseek-chat", "deepseek", 0.27, 0.07, 1.1, "reads", ms_per_token=15),
    # No catalogue has these; their rates size the incident, no sender states a cost for them.
    Model("acme-internal-7b", "selfhosted", 0.2, 0.2, 0.6, ms_per_token=5),
    Model("gpt-5.2-acme-ft", "openai", 3.5, 0.35, 28, "reads", 0.45, 13),
    Model("globex-router-preview", "globex-gateway", 2, 2, 12, ms_per_token=10),
)
MODEL = {model.name: code for code, model in enumerate(MODELS)}
UNKNOWN_MODELS = ("acme-internal-7b", "gpt-5.2-acme-ft", "globex-router-preview")
EMBEDDING = MODEL["text-embedding-3-small"]


@dataclass(frozen=True)
class Endpoint:
    """One endpoint in its normal life. Token figures are medians of lognormals; `deploy_every` is in days."""

    name: str
    feature: str
    share: float  # of requests, in percent before normalising
    input_tokens: int
    output_tokens: int
    routes: tuple[tuple[str, float], ...]
    sigma: float = 0.6
    cache_hit: float = 0.0
    cache_part: float = 0.0  # of the input that is a cacheable prefix
    long_cache: float = 0.0  # share of cache writes kept for an hour
    batch: float = 0.0
    searches: float = 0.0  # probability that a request searches the web
    tier: str = ""  # service tier it asks for
    rhythm: str = "office"
    deploy_every: int = 0
    dated: bool = False  # prompt versions read 2026-10-03a instead of v12
    sender: int = 0


SENDERS = ("app-us", "app-eu", "workers", "gateway")
RHYTHMS = ("office", "flat", "night")
ENDPOINTS = (
    Endpoint("chat.reply", "assistant", 17, 1900, 340, (("claude-sonnet-4-5", 0.45), ("claude-haiku-4-5", 0.35),
             ("gpt-5.2", 0.2)), cache_hit=0.7, cache_part=0.6, long_cache=0.1, deploy_every=24),
    Endpoint("chat.title", "assistant", 6, 380, 12, (("gpt-4o-mini", 1.0),), 0.4),
    Endpoint("chat.suggest", "assistant", 5, 1100, 70, (("gpt-5-mini", 0.8), ("gpt-4o-mini", 0.2)), deploy_every=33),
    Endpoint("search.answer", "search", 8, 4200, 420, (("gemini-2.5-flash", 0.5), ("gpt-5.2", 0.3),
             ("claude-haiku-4-5", 0.2)), searches=0.06, cache_hit=0.4, cache_part=0.3, deploy_every=29, sender=1),
    Endpoint("search.rewrite", "search", 7, 230, 38, (("gpt-4o-mini", 0.6), ("gemini-2.5-flash-lite", 0.4)), 0.4),
    Endpoint("search.rerank", "search", 5, 2600, 28, (("gemini-2.5-flash-lite", 1.0),), 0.5, sender=1),
    Endpoint("search.embed", "search", 8, 420, 0, (("text-embedding-3-small", 1.0),), 0.7, rhythm="flat", sender=2),
    Endpoint("docs.summarize", "documents", 4, 8800, 620, (("claude-haiku-4-5", 0.6), ("gemini-2.5-flash", 0.4)), 0.8,
             deploy_every=26, dated=True, sender=1),
    Endpoint("docs.extract", "documents", 4, 6400, 480, (("gpt-5-mini", 0.75), ("gpt-5.2", 0.25)), 0.7, tier="flex",
             deploy_every=31, dated=True, sender=1),
    Endpoint("docs.translate", "documents", 2, 2500, 2300, (("mistral-large-2411", 0.8), ("gemini-2.5-flash", 0.2)),
             sender=1),
    Endpoint("docs.compare", "documents", 0.8, 23000, 1400, (("gemini-2.5-pro", 0.85), ("claude-sonnet-4-5", 0.15)),
             0.9, deploy_every=48, dated=True, sender=1),
    Endpoint("docs.embed", "documents", 4, 2200, 0, (("text-embedding-3-small", 1.0),), 0.6, batch=0.9, rhythm="night",
             sender=2),
    Endpoint("support.triage", "support", 5, 1500, 60, (("claude-haiku-4-5", 0.9), ("gpt-5-mini", 0.1)), 0.5,
             cache_hit=0.8, cache_part=0.5, deploy_every=38, sender=1),
    Endpoint("support.draft", "support", 4, 3100, 380, (("claude-sonnet-4-5", 0.7), ("gpt-5.2", 0.3)), cache_hit=0.6,
             cache_part=0.5, deploy_every=21, sender=1),
    Endpoint("support.sentiment", "support", 3, 600, 9, (("deepseek-chat", 1.0),), 0.4, rhythm="flat", sender=3),
    Endpoint("code.complete", "coding", 6, 2300, 85, (("gpt-5-mini", 0.55), ("deepseek-chat", 0.42),
             ("acme-internal-7b", 0.03)), 0.5, cache_hit=0.5, cache_part=0.4, deploy_every=36, sender=3),
    Endpoint("code.review", "coding", 1.6, 13500, 1150, (("claude-sonnet-4-5", 0.6), ("gpt-5.2", 0.4)), 0.8,
             cache_hit=0.5, cache_part=0.5, long_cache=0.3, deploy_every=27, sender=3),
    Endpoint("code.explain", "coding", 1.5, 3200, 700, (("deepseek-chat", 0.7), ("gpt-5-mini", 0.3)), sender=3),
    Endpoint("agent.plan", "agents", 1, 6200, 1500, (("claude-opus-4-5", 0.4), ("gpt-5.2", 0.6)), cache_hit=0.6,
             cache_part=0.6, long_cache=0.5, deploy_every=30, sender=2),
    Endpoint("agent.act", "agents", 3, 11500, 330, (("claude-sonnet-4-5", 0.8), ("gpt-5.2", 0.2)), 0.7, cache_hit=0.85,
             cache_part=0.8, long_cache=0.5, deploy_every=34, sender=2),
    Endpoint("agent.browse", "agents", 0.8, 7800, 650, (("gpt-5.2", 1.0),), 0.7, searches=0.7, tier="priority",
             sender=2),
    Endpoint("reports.weekly", "analytics", 1, 15500, 1800, (("gemini-2.5-pro", 0.5), ("claude-sonnet-4-5", 0.5)), 0.5,
             batch=0.95, rhythm="night", deploy_every=45, dated=True, sender=2),
    Endpoint("reports.sql", "analytics", 1.3, 4800, 360, (("gpt-5.2", 0.97), ("gpt-5.2-acme-ft", 0.03)),
             deploy_every=40),
    Endpoint("moderation.check", "trust", 6, 520, 8, (("gpt-4o-mini", 0.7), ("gemini-2.5-flash-lite", 0.3)), 0.6,
             rhythm="flat", sender=3),
)  # fmt: skip
ENDPOINT = {endpoint.name: code for code, endpoint in enumerate(ENDPOINTS)}

TENANT_NAMES = [
    "acme",
    "globex",
    "initech",
    "umbrella",
    "hooli",
    "stark-industries",
    "wayne-enterprises",
    "wonka",
    "soylent",
    "tyrell",
    "cyberdyne",
    "oscorp",
    "massive-dynamic",
    "aperture",
    "black-mesa",
    "dunder-mifflin",
    "pied-piper",
    "vandelay",
    "sterling-cooper",
    "bluth",
    "los-pollos",
    "gringotts",
    "monsters-inc",
    "duff-brewery",
    "planet-express",
    "momcorp",
    "virtucon",
    "nakatomi",
    "weyland-yutani",
    "oceanic-air",
    "prestige-worldwide",
    "kramerica",
    "paper-street",
    "gekko-co",
    "rekall",
    "omni-consumer",
    "spacely-sprockets",
    "cogswell-cogs",
    "zorg-industries",
    "yoyodyne",
]


@dataclass(frozen=True, eq=False)
class Scenario:
    """What a benchmark puts in the place of the demo's incidents and of its everyday life (benchmarks/alerts)."""

    incidents: tuple  # of demo.incidents.Incident, instead of every season's plan
    request_factor: Callable[[date], np.ndarray]  # on the requests of each endpoint
    user_share: Callable[[date], np.ndarray]  # of each user, of all requests; sums to one
    change: Callable[[date, pd.DataFrame], None]  # the day's requests, routed and sized, before any incident


@dataclass(frozen=True, eq=False)
class World:
    """Everything that does not change from day to day. `user_tenant[u]` is the tenant of user u; the arrays align."""

    seed: int
    requests_per_day: int
    tenants: tuple[str, ...]
    users: tuple[str, ...]
    user_tenant: np.ndarray
    user_share: np.ndarray  # of all requests
    labels: dict[str, int] = field(default_factory=dict)  # prompt version labels met so far, by code
    scenario: Scenario | None = None  # None: the demo

    def label_code(self, label: str) -> int:
        """The code of a prompt version label; it depends on what was asked before, so it never leaves the process."""
        return self.labels.setdefault(label, len(self.labels))


def build_world(seed: int, requests_per_day: int) -> World:
    """The world of a seed and volume: Zipf tenants, Zipf users nested in them, more of both at scale."""
    scale = max(requests_per_day / DEFAULT_VOLUME, 1.0)
    tenant_count, user_count = round(40 * scale**0.5), round(700 * scale**0.8)
    tenants = (*TENANT_NAMES, *(f"tenant-{number:04d}" for number in range(41, tenant_count + 1)))
    share = zipf(tenant_count, 0.95)
    members = np.maximum(np.floor(share * (user_count - tenant_count)).astype(int) + 1, 1)
    user_tenant = np.repeat(np.arange(tenant_count), members)
    user_share = np.concatenate([share[tenant] * zipf(size, 0.8) for tenant, size in enumerate(members)])
    numbers = stream(seed, "users").permutation(len(user_tenant)) + 1000
    return World(seed, requests_per_day, tenants, tuple(f"u-{number}" for number in numbers), user_tenant, user_share)


def zipf(size: int, exponent: float) -> np.ndarray:
    """Shares of `size` members, largest first, summing to one."""
    weight = np.arange(1, size + 1) ** -exponent
    return weight / weight.sum()


def stream(seed: int, purpose: str, *keys: int) -> np.random.Generator:
    """A random generator of its own for each purpose and day: drawing more from one never shifts another."""
    return np.random.default_rng([seed, *purpose.encode(), *keys])


def weekday_factor(day: date) -> float:
    """Traffic of a weekday against the week's mean."""
    return (1.13, 1.17, 1.18, 1.15, 1.09, 0.66, 0.62)[day.weekday()]


def growth_factor(day: date) -> float:
    """Mild growth: one at the middle of the default 60 days, bounded so that far-away days stay plausible."""
    offset = (day - SEASON_START).days - SEASON_DAYS / 2
    return float(np.exp(GROWTH_PER_DAY * np.clip(offset, -300, 300)))


@cache
def hour_shares(rhythm: str) -> np.ndarray:
    """Share of a day's requests in each UTC hour; nights peak around midnight, where retries straddle days."""
    hours = np.arange(24)
    curve = {
        "office": 0.25 + np.exp(-(((hours - 9.5) / 3.2) ** 2)) + 0.9 * np.exp(-(((hours - 16.5) / 3.4) ** 2)),
        "flat": 1 + 0.25 * np.sin((hours - 7) / 24 * 2 * np.pi),
        "night": 0.1 + np.exp(-((((hours - 23.7 + 12) % 24 - 12) / 2.5) ** 2)),
    }[rhythm]
    return curve / curve.sum()


@dataclass(frozen=True)
class Version:
    """A prompt version: its label, the day and UTC hour of its deploy, and what it does to token counts."""

    label: str
    day: date
    hour: int
    input_factor: float
    output_factor: float


@cache
def live_version(seed: int, endpoint: int, day: date) -> Version:
    """The version deployed last, on or before `day`: deploys are benign, a few percent of tokens up or down."""
    every = ENDPOINTS[endpoint].deploy_every or 10_000
    draw = stream(seed, "deploys", endpoint)
    phase, latest, hour = int(draw.integers(0, every)), 4 + int(draw.integers(0, 12)), 8 + int(draw.integers(0, 9))
    turn = ((day - SEASON_START).days - phase) // every
    deployed = SEASON_START + timedelta(days=phase + turn * every)
    label = f"{deployed}a" if ENDPOINTS[endpoint].dated else f"v{max(latest + turn, 1)}"
    factors = np.exp(stream(seed, "version", endpoint, turn + 100_000).normal(0, 0.04, 2))
    return Version(label, deployed, hour, float(factors[0]), float(factors[1]))


def previous_version(seed: int, endpoint: int, day: date) -> Version:
    """The version that was live before `live_version`."""
    return live_version(seed, endpoint, live_version(seed, endpoint, day).day - timedelta(days=1))


def request_rates(world: World, day: date) -> np.ndarray:
    """Expected requests of each endpoint on a day without incidents."""
    share = np.array([endpoint.share for endpoint in ENDPOINTS])
    rates = share / share.sum() * world.requests_per_day * weekday_factor(day) * growth_factor(day)
    return rates * world.scenario.request_factor(day) if world.scenario else rates


def user_shares(world: World, day: date) -> np.ndarray:
    """The share of each user in a day's requests."""
    return world.scenario.user_share(day) if world.scenario else world.user_share


def unit_cost(endpoint: Endpoint, model: str | None = None) -> float:
    """Approximate USD of one request of an endpoint, over its routes or when sent to one model."""
    mean = float(np.exp(endpoint.sigma**2 / 2))
    cached = endpoint.cache_hit * endpoint.cache_part
    usd = 0.0
    for name, share in ((model, 1.0),) if model else endpoint.routes:
        found = MODELS[MODEL[name]]
        sent = endpoint.input_tokens * (found.input_rate * (1 - cached) + found.cached_rate * cached)
        usd += share * mean * (sent + endpoint.output_tokens * found.output_rate) / 1e6
    return usd * (1 - endpoint.batch / 2)
