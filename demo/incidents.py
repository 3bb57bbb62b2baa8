"""Labelled incidents, one of each spike type in the last three weeks of every 60-day season, two of them for the second time."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache

import numpy as np
import pandas as pd

from demo.world import (
    ENDPOINT,
    ENDPOINTS,
    MODEL,
    MODELS,
    SEASON_DAYS,
    SEASON_START,
    World,
    growth_factor,
    hour_shares,
    live_version,
    stream,
    unit_cost,
    weekday_factor,
)

# Days into the season and length in days. They are kept apart, so that an alert may close before the next one opens; the
# last one still runs when the season ends, so that a demo opens on a live alert.
SLOTS = ((39, 2), (41, 2), (44, 1), (46, 2), (49, 2), (52, 2), (55, 2), (58, 2))

# The spike types whose problem of the season happened once before: when, as above. Weeks before the first slot, so that it is
# another ISO week in every season and nearly no alert of the slots changes. One comes back by itself, one in spite of a
# guardrail (demo/oncall.py).
RECURS, REGRESSES = "abuse", "price_mix"
BEFORE = {RECURS: (18, 2), REGRESSES: (20, 1)}

# Spike type: the share of a day's spend it should add, and the endpoints where it makes sense.
SPIKE_TYPES = {
    "volume": (0.16, ("search.answer", "support.draft", "docs.extract", "reports.sql", "agent.browse")),
    "token": (0.18, ("docs.summarize", "chat.reply", "agent.act", "search.answer")),
    "deploy": (0.20, ("support.draft", "agent.plan", "code.review", "search.answer")),
    "abuse": (0.14, ("code.review", "chat.reply", "docs.compare", "agent.browse")),
    "concentration": (0.16, ("search.answer", "docs.compare", "chat.reply", "code.review")),
    "retry": (0.16, ("agent.act", "code.review", "support.draft")),
    "price_mix": (0.20, ("docs.summarize", "search.answer", "docs.extract")),
    "unknown_model": (0.12, ("docs.translate", "docs.extract", "support.draft")),
}
ADDING = ("volume", "abuse", "concentration")  # these add requests; the others change what requests there are
ANY = -1  # instead of an endpoint: requests are added wherever requests are made


@dataclass(frozen=True, eq=False)
class Incident:
    """One labelled incident, active in [start, end). `strength` is, by spike type: extra requests a day (volume, abuse,
    concentration), a token factor (token, deploy), the probability that an attempt fails (retry), the share of requests
    sent elsewhere (price_mix, unknown_model), or the share of cache hits lost (cache). An incident of the kind price leaves
    requests as they are: who prices them applies it.

    A changing incident concerns only the requests of `tenant` or of `only_model` where these are given, and `reach` of
    the rest: a few callers keep the version before a bad deploy. `keeps_prefix`: input that grows leaves the cacheable
    prefix as it is.
    """

    name: str
    kind: str
    endpoint: int
    start: datetime
    end: datetime
    strength: float
    tenant: int | None = None
    user: int | None = None
    model: int | None = None
    version: str | None = None
    only_model: int | None = None
    reach: float = 0.95
    bloats: tuple[str, ...] = ("input", "output")
    keeps_prefix: bool = False

    @property
    def window(self) -> tuple[int, int]:
        """Start and end in microseconds since 1970."""
        return tuple(round(instant.timestamp() * 1_000_000) for instant in (self.start, self.end))


def season_of(day: date) -> int:
    """Which 60-day season a day is in: 0 is the default demo."""
    return (day - SEASON_START).days // SEASON_DAYS


def active(world: World, day: date) -> list[tuple[int, Incident]]:
    """Incidents that touch a day, each with its place among the season's: random streams are drawn by it."""
    return [
        (code, incident)
        for code, incident in enumerate(occurrences(world, season_of(day)))
        if incident.start.date() <= day < (incident.end - timedelta(microseconds=1)).date() + timedelta(days=1)
    ]


@cache
def plan(world: World, season: int) -> tuple[Incident, ...]:
    """The season's incidents, one of each spike type, each on an endpoint of its own, drawn from the seed."""
    draw = stream(world.seed, "incidents", season + 100_000)
    kinds = draw.permutation(list(SPIKE_TYPES)).tolist()
    taken, incidents = set(), []
    for kind in sorted(kinds, key=lambda kind: len(SPIKE_TYPES[kind][1])):  # those with the fewest choices choose first
        offset, days = SLOTS[kinds.index(kind)]
        first = SEASON_START + timedelta(days=season * SEASON_DAYS + offset)
        endpoint = _free_endpoint(world, kind, first, days, taken, draw)
        taken.add(endpoint)
        hour = int(draw.choice([0, 0, 7, 10])) if days > 1 else 0
        start = datetime(first.year, first.month, first.day, hour, tzinfo=UTC)
        end = start.replace(hour=0) + timedelta(days=days)
        incidents.append(_designed(world, kind, endpoint, start, end, draw))
    return tuple(sorted(incidents, key=lambda incident: incident.start))


@cache
def earlier(world: World, season: int) -> tuple[Incident, ...]:
    """The first occurrences of the problems that come back: the same as in the plan, but for their time."""
    found = []
    for kind, (offset, days) in BEFORE.items():
        later = next(incident for incident in plan(world, season) if incident.kind == kind)
        first = SEASON_START + timedelta(days=season * SEASON_DAYS + offset)
        start = datetime(first.year, first.month, first.day, tzinfo=UTC)
        name = f"{kind}-{start:%Y%m%d}"
        found.append(replace(later, name=name, start=start, end=start + timedelta(days=days)))
    return tuple(found)


def occurrences(world: World, season: int) -> tuple[Incident, ...]:
    """All incidents of a season. The plan comes first, so that what comes back leaves the places of the others alone."""
    return world.scenario.incidents if world.scenario else plan(world, season) + earlier(world, season)


def _free_endpoint(world, kind, first, days, taken, draw) -> int:
    """An endpoint no other incident of the season uses, if possible without an ordinary deploy around that time."""
    usual = [ENDPOINT[name] for name in draw.permutation(SPIKE_TYPES[kind][1])]
    others = [code for code in range(len(ENDPOINTS)) if code not in usual and unit_cost(ENDPOINTS[code]) > 0.002]
    free = [code for code in usual + others if code not in taken]
    end = first + timedelta(days=days)
    return next((code for code in free if (first - live_version(world.seed, code, end).day).days > 5), free[0])


def _designed(world: World, kind: str, endpoint: int, start: datetime, end: datetime, draw) -> Incident:
    """Sizes an incident so that it adds its spike type's share of a normal day's spend, within what is plausible."""
    share = SPIKE_TYPES[kind][0] * draw.uniform(0.85, 1.3)
    percent = sum(each.share for each in ENDPOINTS)
    spend = sum(each.share / percent * unit_cost(each) for each in ENDPOINTS) * world.requests_per_day
    own = ENDPOINTS[endpoint].share / percent * world.requests_per_day * unit_cost(ENDPOINTS[endpoint])
    about = {"name": f"{kind}-{start:%Y%m%d}", "kind": kind, "endpoint": endpoint, "start": start, "end": end}
    if kind in ADDING:
        about["strength"] = float(share * spend) / unit_cost(ENDPOINTS[endpoint])
        about.update(_identity(world, kind, draw))
    elif kind in ("token", "deploy"):
        about["strength"] = float(np.clip(1 + share * spend / own, 1.6, 5))
        about.update({"version": _bad_version(world, endpoint, start.date())} if kind == "deploy" else {})
    elif kind == "retry":
        extra = share * spend / own
        about["strength"] = float(np.clip(extra / (1 + extra), 0.5, 0.75))
    else:
        about["model"] = MODEL["globex-router-preview" if kind == "unknown_model" else "claude-opus-4-5"]
        price_ratio = unit_cost(ENDPOINTS[endpoint], MODELS[about["model"]].name) / unit_cost(ENDPOINTS[endpoint])
        gain = price_ratio - 1 if kind == "price_mix" else 1
        about["strength"] = float(np.clip(share * spend / (own * gain), 0.35, 0.95))
    return Incident(**about)


def _identity(world: World, kind: str, draw) -> dict[str, int]:
    """Who is behind the extra requests: nobody in particular, one tenant with many users, or one small user."""
    if kind == "volume":
        return {}
    tenant = int(draw.integers(4, 12) if kind == "concentration" else draw.integers(5, 20))
    members = np.flatnonzero(world.user_tenant == tenant)
    return {"tenant": tenant} | ({"user": int(draw.choice(members))} if kind == "abuse" else {})


def _bad_version(world: World, endpoint: int, day: date) -> str:
    """The label of the deploy that goes wrong; it is rolled back when the incident ends."""
    return f"{day}a" if ENDPOINTS[endpoint].dated else f"{live_version(world.seed, endpoint, day).label}.1"


def extra_requests(world: World, day: date) -> pd.DataFrame:
    """The requests that incidents add on a day: endpoint, hour, user (-1: anyone) and incident."""
    frames = [pd.DataFrame({"endpoint": [], "hour": [], "user": [], "incident": []}, dtype=np.int64)]
    for code, incident in active(world, day):
        if incident.kind not in ADDING:
            continue
        draw = stream(world.seed, "extra", day.toordinal(), code)
        curve = hour_shares("flat" if incident.kind == "abuse" else "office").copy()
        curve[[not incident.start <= _hour(day, hour) < incident.end for hour in range(24)]] = 0
        busy = 1.0 if incident.kind == "abuse" else weekday_factor(day) * growth_factor(day)
        count = draw.poisson(incident.strength * busy * curve.sum())
        user = np.full(count, -1 if incident.user is None else incident.user)
        if incident.tenant is not None and incident.user is None:
            user = draw.choice(np.flatnonzero(world.user_tenant == incident.tenant), count)
        hour = draw.choice(24, count, p=curve / curve.sum())
        endpoint = np.full(count, incident.endpoint)
        if incident.endpoint == ANY:
            share = np.array([each.share for each in ENDPOINTS])
            endpoint = draw.choice(len(ENDPOINTS), count, p=share / share.sum())
        frames.append(pd.DataFrame({"endpoint": endpoint, "hour": hour, "user": user, "incident": code}))
    return pd.concat(frames, ignore_index=True)


def _hour(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def disturb(world: World, day: date, requests: pd.DataFrame) -> None:
    """Applies the incidents that change existing requests, in place: tokens, prompt version, model, failure rate."""
    for code, incident in active(world, day):
        if incident.kind in ADDING:
            continue
        draw = stream(world.seed, "disturb", day.toordinal(), code)
        start, end = incident.window
        hit = ((requests["at"] >= start) & (requests["at"] < end)).to_numpy()
        if incident.endpoint != ANY:
            hit = hit & (requests["endpoint"] == incident.endpoint).to_numpy()
        if incident.tenant is not None:
            hit = hit & (world.user_tenant[requests["user"]] == incident.tenant)
        if incident.only_model is not None:
            hit = hit & (requests["model"] == incident.only_model).to_numpy()
        if incident.kind == "deploy":
            hit = hit & (draw.random(len(requests)) < incident.reach)
            requests.loc[hit, "version"] = world.label_code(incident.version)
        if incident.kind in ("token", "deploy"):
            for column in incident.bloats:
                requests.loc[hit, column] = (requests.loc[hit, column] * incident.strength).astype(np.int64)
            if incident.keeps_prefix:
                requests.loc[hit, "cache_part"] /= incident.strength
        if incident.kind == "retry":
            requests.loc[hit, "failure"] = incident.strength
        if incident.kind == "cache":
            requests.loc[hit, "cache_hit"] *= 1 - incident.strength
        if incident.kind in ("price_mix", "unknown_model"):
            hit = hit & (draw.random(len(requests)) < incident.strength)
            requests.loc[hit, "model"] = incident.model
        requests.loc[hit, "incident"] = code


def describe(world: World, incident: Incident) -> dict:
    """An incident as the truth file names it; `driver_*` is what a root-cause search should answer."""
    model = None if incident.model is None else MODELS[incident.model].name
    endpoint = ENDPOINTS[incident.endpoint].name
    tenant = None if incident.tenant is None else world.tenants[incident.tenant]
    user = None if incident.user is None else world.users[incident.user]
    drivers = {
        "deploy": ("prompt_version", incident.version),
        "abuse": ("user", user),
        "concentration": ("tenant", tenant),
        "price_mix": ("endpoint x model", f"{endpoint} | {model}"),
        "unknown_model": ("model", model),
    }
    dimension, value = drivers.get(incident.kind, ("endpoint", endpoint))
    return {
        "incident": incident.name,
        "spike_type": incident.kind,
        "onset_date": incident.start.date().isoformat(),
        "end_date": (incident.end - timedelta(microseconds=1)).date().isoformat(),
        "start": incident.start.isoformat(),
        "end": incident.end.isoformat(),
        "driver_dimension": dimension,
        "driver_value": value,
        "endpoint": endpoint,
        "prompt_version": incident.version,
        "tenant": tenant,
        "user": user,
        "model": model,
        "strength": round(incident.strength, 4),
    }
