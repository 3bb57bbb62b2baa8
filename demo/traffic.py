"""One day's provider calls: who called what, with which model, how large, how often tried, at what latency."""

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd

from demo import incidents
from demo.world import (
    EMBEDDING,
    ENDPOINTS,
    MODELS,
    RHYTHMS,
    SERVICE_ACCOUNT,
    World,
    hour_shares,
    live_version,
    previous_version,
    request_rates,
    stream,
    user_shares,
)

ABSENT = -1  # in every integer column: the sender does not state it
HOUR = 3_600_000_000  # microseconds
ENVIRONMENTS = ("prod", "staging", "dev")
DATA_MODES = ("real", "test", "demo")
ERRORS = (("rate_limited", 429), ("overloaded", 529), ("timeout", 504), ("server_error", 500), ("schema_mismatch", 422))
BILLED_ERRORS = (2, 4)  # the provider worked and bills; rate_limited, overloaded and server_error carry no usage
MAX_ATTEMPTS = 5
PROVIDER, ESTIMATE, MISSING = 0, 1, 2


def midnight(day: date) -> int:
    """The start of a UTC day in microseconds since 1970."""
    return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1_000_000)


def of_models(attribute: str) -> np.ndarray:
    """One attribute of all models, indexed by model code."""
    return np.array([getattr(model, attribute) for model in MODELS])


def of_endpoints(attribute: str) -> np.ndarray:
    """One attribute of all endpoints, indexed by endpoint code."""
    return np.array([getattr(endpoint, attribute) for endpoint in ENDPOINTS])


def day_attempts(world: World, day: date) -> pd.DataFrame:
    """Every provider call of the requests whose first try is on `day`, one row each; codes and counts are integers.

    Token counts are inclusive. `plain_*`: the same call without the incident (0: it would not have been made).
    """
    requests = _requests(world, day)
    _choose_version(world, day, requests)
    _choose_model_and_size(world, day, requests)
    if world.scenario:
        world.scenario.change(day, requests)
    incidents.disturb(world, day, requests)
    attempts = _tried(world, day, requests)
    draw = stream(world.seed, "usage", day.toordinal())
    _add_usage_parts(attempts, draw)
    _add_tiers(attempts, draw)
    _forget_usage(attempts, draw)
    return attempts


def _requests(world: World, day: date) -> pd.DataFrame:
    """Logical requests in order of time: endpoint, time, user, environment, data mode, the incident that added them."""
    draw = stream(world.seed, "requests", day.toordinal())
    noise = np.exp(draw.normal(0, 0.04, len(ENDPOINTS)) + draw.normal(0, 0.015))
    endpoint = np.repeat(np.arange(len(ENDPOINTS)), draw.poisson(request_rates(world, day) * noise))
    hour = np.zeros(len(endpoint), dtype=np.int64)
    rhythm = np.array([RHYTHMS.index(each.rhythm) for each in ENDPOINTS])[endpoint]
    for code, name in enumerate(RHYTHMS):
        of_rhythm = np.flatnonzero(rhythm == code)
        hour[of_rhythm] = np.searchsorted(np.cumsum(hour_shares(name))[:-1], draw.random(len(of_rhythm)))
    base = pd.DataFrame({"endpoint": endpoint, "hour": hour, "user": -1, "incident": -1})
    frame = pd.concat([base, incidents.extra_requests(world, day)], ignore_index=True)
    size = len(frame)
    anyone = np.searchsorted(np.cumsum(user_shares(world, day))[:-1], draw.random(size))
    frame["user"] = np.where(frame["user"] < 0, anyone, frame["user"]).astype(np.int32)
    frame["at"] = midnight(day) + frame.pop("hour") * HOUR + draw.integers(0, HOUR, size)
    frame["extra"] = frame["incident"] >= 0
    frame["environment"] = np.searchsorted([0.94, 0.98], draw.random(size)).astype(np.int8)
    mode = np.where(
        frame["environment"] == 0, np.searchsorted([0.985, 0.992], draw.random(size)), draw.random(size) < 0.4
    )
    frame["data_mode"] = mode.astype(np.int8)
    frame.loc[frame["extra"], ["environment", "data_mode"]] = 0  # incidents are a matter of production
    frame = frame.sort_values("at", kind="stable", ignore_index=True)
    frame["request"] = np.arange(size, dtype=np.int64)
    return frame


def _choose_version(world: World, day: date, requests: pd.DataFrame) -> None:
    """The prompt version in use at the time of the request; for a few days some callers still use the last one."""
    live = [live_version(world.seed, code, day) for code in range(len(ENDPOINTS))]
    last = [previous_version(world.seed, code, day) for code in range(len(ENDPOINTS))]
    endpoint = requests["endpoint"].to_numpy()
    deployed = np.array([midnight(version.day) + version.hour * HOUR for version in live])[endpoint]
    age_hours = (requests["at"].to_numpy() - deployed) / HOUR
    share = np.select([age_hours < 0, age_hours < 3, age_hours < 60], [0.0, 0.3, 0.98], 1.0)
    new = stream(world.seed, "version", day.toordinal()).random(len(requests)) < share
    for column, read in (
        ("version", lambda version: world.label_code(version.label)),
        ("input_factor", lambda version: version.input_factor),
        ("output_factor", lambda version: version.output_factor),
    ):
        pair = np.array([[read(version) for version in versions] for versions in (last, live)])
        requests[column] = pair[new.astype(int), endpoint]


def _choose_model_and_size(world: World, day: date, requests: pd.DataFrame) -> None:
    """Routes each request and draws its inclusive input and output tokens; embeddings have no output."""
    draw = stream(world.seed, "routes", day.toordinal())
    endpoint, size = requests["endpoint"].to_numpy(), len(requests)
    shares = np.array([[dict(each.routes).get(model.name, 0) for model in MODELS] for each in ENDPOINTS])
    model = (draw.random(size)[:, None] > shares.cumsum(axis=1)[endpoint, :-1]).sum(axis=1)
    sigma = of_endpoints("sigma")[endpoint]
    for column, spread, most in (("input", sigma, 900_000), ("output", sigma * 0.8, 60_000)):
        median = of_endpoints(f"{column}_tokens")[endpoint] * requests.pop(f"{column}_factor").to_numpy()
        tokens = np.clip(np.exp(draw.normal(0, 1, size) * spread) * median, 1, most).astype(np.int64)
        requests[column] = np.where((column == "output") & (model == EMBEDDING), ABSENT, tokens)
        requests[f"plain_{column}"] = np.where(requests["extra"], 0, np.maximum(requests[column], 0))
    requests["model"] = requests["plain_model"] = model.astype(np.int8)
    requests["failure"] = np.float32(0.012)
    for column in ("cache_hit", "cache_part"):
        requests[column] = of_endpoints(column)[endpoint]
    batch = of_endpoints("batch")[endpoint]
    requests["batch"] = draw.random(size) < batch


def _tried(world: World, day: date, requests: pd.DataFrame) -> pd.DataFrame:
    """Expands requests into tries: errors come first, each try later than the one before, batches wait for minutes."""
    draw = stream(world.seed, "tries", day.toordinal())
    tries, left = [], requests.assign(attempt=np.int8(1))
    while len(left):
        failed = draw.random(len(left)) < left["failure"].to_numpy()
        storm = left["failure"].to_numpy() > 0.1
        usual = np.searchsorted([0.45, 0.7, 0.85, 0.96], draw.random(len(left)))
        code = np.where(storm, np.where(draw.random(len(left)) < 0.75, 4, 2), usual)
        left["error"] = np.where(failed, code, ABSENT).astype(np.int8)
        left["latency"] = _latency(left, draw)
        tries.append(left)
        again = failed & (left["attempt"].to_numpy() < MAX_ATTEMPTS) & (draw.random(len(left)) < 0.9)
        left = left[again].copy()
        left["attempt"] += 1
        wait_seconds = np.where(left["batch"], 900.0, 2.0 ** left["attempt"]) * draw.exponential(1, len(left))
        left["at"] += (left["latency"] * 1000 + wait_seconds * 1_000_000).astype(np.int64)
        left.loc[left["failure"] > 0.1, ["plain_input", "plain_output"]] = 0  # a storm's retries are extra tries
    attempts = pd.concat(tries, ignore_index=True)
    attempts["event_day"] = (attempts["at"] // (24 * HOUR)).astype(np.int32)
    return attempts.drop(columns="failure")


def _latency(tries: pd.DataFrame, draw) -> np.ndarray:
    """Milliseconds: a start, a time per output token of the model, and a timeout where one happened."""
    per_token = of_models("ms_per_token")[tries["model"]]
    spread = np.exp(draw.normal(0, 0.35, len(tries)))
    normal = (180 + np.maximum(tries["output"].to_numpy(), 0) * per_token) * spread
    quick = np.isin(tries["error"], (0, 1, 3))
    return np.where(quick, 90 * spread, np.where(tries["error"] == 2, 30_000.0, normal)).astype(np.int64)


def _add_usage_parts(attempts: pd.DataFrame, draw) -> None:
    """Cache reads and writes, reasoning, web searches: parts of the totals, stated only where the provider does."""
    endpoint, model, size = attempts["endpoint"].to_numpy(), attempts["model"].to_numpy(), len(attempts)
    reports = of_models("cache")[model]
    prefix = (attempts["input"].to_numpy() * attempts.pop("cache_part").to_numpy()).astype(np.int64)
    prefix = np.where(prefix >= 1024, prefix // 128 * 128, 0)  # providers cache nothing shorter
    hit = draw.random(size) < attempts.pop("cache_hit").to_numpy()
    written = np.where(hit, 0, prefix)
    attempts["cache_read"] = np.where(reports == "none", ABSENT, np.where(hit, prefix, 0))
    attempts["cache_write"] = np.where(reports == "writes", written, ABSENT)
    long = draw.random(size) < of_endpoints("long_cache")[endpoint]
    attempts["cache_write_1h"] = np.where((reports == "writes") & long, written, ABSENT)
    share = of_models("reasoning")[model]
    part = (attempts["output"].to_numpy() * np.clip(share * draw.uniform(0.4, 1.6, size), 0, 0.95)).astype(np.int64)
    attempts["reasoning"] = np.where(share > 0, np.maximum(part, 0), ABSENT)
    searched = draw.random(size) < of_endpoints("searches")[endpoint]
    attempts["searches"] = np.where(searched, draw.integers(1, 4, size), ABSENT)
    attempts["total_stated"] = draw.random(size) < 0.5


def _add_tiers(attempts: pd.DataFrame, draw) -> None:
    """Service tiers as codes of TIERS: what an OpenAI call asked for, and what served it, not always the same."""
    asked_for = np.array([TIERS.index(each.tier) if each.tier else ABSENT for each in ENDPOINTS])
    of_openai = of_models("provider")[attempts["model"]] == "openai"
    asked = np.where(of_openai, asked_for[attempts["endpoint"]], ABSENT)
    asked = np.where(draw.random(len(attempts)) < 0.6, asked, ABSENT)
    served = np.where((asked >= 0) & (draw.random(len(attempts)) < 0.12), 0, asked)
    silent = draw.random(len(attempts)) < 0.7
    attempts["asked_tier"] = asked.astype(np.int8)
    attempts["served_tier"] = np.where((asked < 0) & of_openai & ~silent, 0, served).astype(np.int8)


TIERS = ("default", "flex", "priority")
USAGE = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning", "searches")
PARTS = USAGE[2:]


def _forget_usage(attempts: pd.DataFrame, draw) -> None:
    """Errors that bill nothing and aborted streams state no tokens; some senders can only estimate them."""
    attempts["asked"] = attempts["input"]  # what the provider knows all the same
    failed = attempts["error"].to_numpy() >= 0
    billed = np.isin(attempts["error"], BILLED_ERRORS)
    lost = np.where(failed, ~billed, draw.random(len(attempts)) < 0.004)
    guessed = ~lost & (draw.random(len(attempts)) < np.where(attempts["error"] == 2, 0.5, 0.008))
    attempts["usage"] = np.select([lost, guessed], [MISSING, ESTIMATE], PROVIDER).astype(np.int8)
    for column in ("plain_input", "plain_output"):  # a call that states nothing has nothing to compare
        attempts[column] = np.where(lost, 0, attempts[column])
    for column in USAGE:
        attempts[column] = np.where(lost | (guessed & (column in PARTS)), ABSENT, attempts[column])


def service_account(world: World) -> int:
    """The user code of the service account, after the world's users."""
    assert SERVICE_ACCOUNT not in world.users
    return len(world.users)


def cost_usd(frame: pd.DataFrame, plain: bool = False) -> np.ndarray:
    """Approximate USD of each call, from the world's own rates; `plain`: had the incident not happened."""
    model = frame["plain_model" if plain else "model"]
    tokens = {column: np.maximum(frame[column].to_numpy(), 0) for column in USAGE}
    rate = {name: of_models(f"{name}_rate")[model] * 1e-6 for name in ("input", "cached", "output")}
    fresh = tokens["input"] - tokens["cache_read"] - tokens["cache_write"]
    write = 1.25 * (tokens["cache_write"] - tokens["cache_write_1h"]) + 2 * tokens["cache_write_1h"]
    sent = (fresh + write) * rate["input"] + tokens["cache_read"] * rate["cached"]
    made = tokens["output"] * rate["output"]
    if plain:  # the same mix of parts, fewer tokens
        sent = sent * frame["plain_input"] / np.maximum(tokens["input"], 1)
        made = made * frame["plain_output"] / np.maximum(tokens["output"], 1)
    made_or_none = np.asarray(sent) + np.asarray(made)
    return made_or_none * np.where(frame["batch"], 0.5, 1.0) + tokens["searches"] * (0.0 if plain else 0.01)
