"""Labelled worlds: a DuckDB file with the tables that the alert models read, and next to it the truth, as JSON.

`write_world(seed, path)` simulates a season of the demo's traffic under another life (life.py: noise, growth, hard
negatives) with incidents (calendar.py, plan.py) of all kinds at 3 to 40 % of a normal day's spend. The truth says of
each incident what it was, since which hour (`start`), what it really cost by day and by hour, and which descriptions of
its driver are right (drivers.py has the rule). `planned` lists launches in the same form: everybody expected them.
Promotion days, onboardings, a growing week, migrations, price cuts, deploys, weekends, the first of a month, bursts in
staging or test, replays, and the first days of a model that returns are labelled `negatives`: none of them is an
incident. A promotion is uniform and planned: who is called for it can do nothing, so an alert for it is a false one.

Tuning seeds and unseen seeds: calendar.py.
"""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.alerts import drivers
from benchmarks.alerts.calendar import DAYS, REQUESTS_PER_DAY, slots
from benchmarks.alerts.life import NEWCOMER, RAMP_DAYS, Life, build_life, inhabited
from benchmarks.alerts.plan import DEAR_NAME, Day, Planned, build_plan, kind_tokens, true_kind_usd, with_bursts
from demo.delivery import EPOCH, add_shown_fields
from demo.incidents import ANY
from demo.traffic import DATA_MODES, ENVIRONMENTS, ERRORS, HOUR, midnight, service_account
from demo.world import ENDPOINTS, MODEL, MODELS, SERVICE_ACCOUNT, UNKNOWN_MODELS, World, live_version, stream
from pricing.units import LEAVES

EXPOSURE_ERROR = 0.3  # sigma of the logarithm: how well the product may guess the price of an unknown model
USAGE_SOURCES = ("provider", "estimate", "missing")


def write_world(seed: int, path: Path, days: int = DAYS, requests_per_day: int = REQUESTS_PER_DAY) -> dict:
    """Writes the DuckDB file `path` (replaced) and `path` with .json; gives the truth that is in the latter."""
    path = Path(path)
    calendar = slots(seed, days)
    life = build_life(seed, days, requests_per_day, calendar)
    plan = build_plan(life, calendar)
    world = inhabited(life)
    calls = _calls(life, plan, world)
    names = _names(plan, life, world)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as database:
        database.register("calls", _table(calls, names, true_kind_usd(life, plan, calls)))
        database.execute(TABLES.format(quantities=QUANTITIES, costs=COSTS, cost=COST))
        database.register("errors", pd.DataFrame({"model": names["model"], "error": _exposure_errors(seed, names)}))
        database.execute(EXPOSURE)
    truth = _truth(life, plan, world, calls, names)
    path.with_suffix(".json").write_text(json.dumps(truth, indent=1) + "\n")
    return truth


def _calls(life: Life, plan: list[Planned], world: World) -> pd.DataFrame:
    """Every attempt of the season, with what senders state and forget, its true cost and what the incident adds to it."""
    frames = []
    for place in range(life.days):
        day = life.first + timedelta(days=place)
        calls = with_bursts(life, Day.simulate(life, plan, day).calls, day)
        add_shown_fields(world, day, calls, stream(life.seed, "shown", day.toordinal()))
        calls["request_day"] = np.int32((day - EPOCH).days)
        calls["last_attempt"] = calls.groupby("request")["attempt"].transform("max")
        frames.append(calls)
    calls = pd.concat(frames, ignore_index=True)
    calls = calls[calls["event_day"] < (life.first - EPOCH).days + life.days].reset_index(drop=True)
    service = calls["shown_user"] == service_account(
        world
    )  # the identity map knows its tenant, senders of metadata too
    calls["shown_tenant"] = np.where(service, 0, np.maximum(calls["shown_tenant"], calls["noted_tenant"]))
    calls["shown_model"] = _shown_model(calls, plan, life)
    return calls


def _shown_model(calls: pd.DataFrame, plan: list[Planned], life: Life) -> np.ndarray:
    """Codes of _names()["model"]: some incidents have a model of their own, and so has the migration to a successor."""
    code, names = calls["model"].to_numpy().astype(np.int64), _own_models(plan)
    own = [names.index(each.model_name) if each.model_name else -1 for each in plan]
    of_incident = np.array([*own, -1])[calls["incident"]]
    code = np.where(of_incident >= 0, len(MODELS) + 1 + of_incident, code)
    move = life.migration
    if move.to_model is None:
        of_endpoint = (calls["endpoint"] == move.endpoint) & (calls["model"] == move.model)
        code = np.where(of_endpoint & (calls["at"] >= midnight(move.day)), len(MODELS), code)
    return code


def _own_models(plan: list[Planned]) -> list[str]:
    return sorted({each.model_name for each in plan if each.model_name})


def _names(plan: list[Planned], life: Life, world: World) -> dict[str, list[str]]:
    """What codes stand for."""
    own, moved = _own_models(plan), MODELS[life.migration.model]
    return {
        "endpoint_tag": [each.name for each in ENDPOINTS],
        "feature_tag": [each.feature for each in ENDPOINTS],
        "prompt_version": list(world.labels),
        "tenant_id": list(world.tenants),
        "user_id": [*world.users, SERVICE_ACCOUNT],
        "model": [*(each.name for each in MODELS), f"{moved.name}-next", *own],
        "provider": [
            *(each.provider for each in MODELS),
            moved.provider,
            *("anthropic" if name == DEAR_NAME else f"{name.split('-')[0]}-gateway" for name in own),
        ],
    }


SHOWN = {
    "endpoint_tag": "shown_endpoint",
    "feature_tag": "shown_feature",
    "prompt_version": "shown_version",
    "tenant_id": "shown_tenant",
    "user_id": "shown_user",
    "model": "shown_model",
    "provider": "shown_model",
}


def _unpriced(calls: pd.DataFrame) -> np.ndarray:
    return np.isin(calls["model"], [MODEL[name] for name in UNKNOWN_MODELS])


def _coded(codes: np.ndarray, names: list | tuple) -> pa.Array:
    codes = np.asarray(codes, dtype=np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), pa.array(names, pa.string()))


def _counted(calls: pd.DataFrame, column: str) -> pa.Array:
    values = calls[column].to_numpy().astype(np.int64)
    return pa.array(values, mask=values < 0)


def _table(calls: pd.DataFrame, names: dict, usd_by_kind: dict[str, np.ndarray]) -> pa.Table:
    """The attempts as TABLES reads them: `usd` is the true cost, known or not, and so is that of each token kind."""
    numbers = ("input", "output", "cache_read", "reasoning")
    error, usage = calls["error"].to_numpy(), calls["usage"].to_numpy()
    reported = calls["stated_cost"].to_numpy()
    return pa.table(
        {column: _coded(calls[shown], names[column]) for column, shown in SHOWN.items()}
        | {f"{column}_tokens": _counted(calls, column) for column in numbers}
        | {name: pa.array(calls[name].to_numpy()) for name in ("request", "attempt", "last_attempt", "latency", "usd")}
        | {f"{kind}_quantity": pa.array(count) for kind, count in kind_tokens(calls).items()}
        | {f"{kind}_usd": pa.array(usd) for kind, usd in usd_by_kind.items()}
        | {
            "occurred_at": pa.array(calls["at"].to_numpy()).cast(pa.timestamp("us")),
            "request_date": pa.array(calls["request_day"].to_numpy(), pa.int32()).cast(pa.date32()),
            "environment": _coded(calls["environment"], ENVIRONMENTS),
            "data_mode": _coded(calls["data_mode"], DATA_MODES),
            "attempt_stated": pa.array(calls["attempt_stated"].to_numpy()),
            "error_code": _coded(error, [name for name, _ in ERRORS]),
            "usage_source": _coded(usage, USAGE_SOURCES),
            "call_key": pa.array(calls["call_key"].to_numpy(), mask=~calls["id_stated"].to_numpy()),
            "reported_cost_usd": pa.array(np.round(reported, 6), mask=np.isnan(reported)),
            "unpriced": pa.array(_unpriced(calls)),
            "is_batch": pa.array(calls["batch"].to_numpy()),
        }
    )


MADE = (
    "uncached_input",
    "cached_input",
    "cache_write_5m",
    "cache_write_1h",
    "text_output",
    "reasoning",
    "web_searches",
)
QUANTITIES = ",\n        ".join(
    f"{leaf.name + '_quantity' if leaf.name in MADE else 0}::bigint as {leaf.quantity}" for leaf in LEAVES
)
COSTS = ",\n        ".join(
    f"case when is_priced then {leaf.name + '_usd' if leaf.name in MADE else 0} end::decimal(38, 12) as {leaf.cost_column}"
    for leaf in LEAVES
)
COST = " + ".join(f"{kind}_usd::decimal(38, 12)" for kind in MADE)
TABLES = """
    create schema marts;
    create schema intermediate;

    create table marts.fct_attempts as
    with named as (
        select
            *,
            format('req-{{}}-{{:08d}}', strftime(request_date, '%Y%m%d'), request) as request_id,
            not unpriced and input_tokens is not null as is_priced
        from calls
    )
    select
        request_id,
        concat_ws('/', request_id, attempt, occurred_at::date) as attempt_key,
        case when attempt_stated then attempt end::integer as attempt,
        'call-' || lower(hex(call_key)) as provider_request_id,
        'events' as source,
        occurred_at,
        occurred_at::date as event_date,
        request_date,
        environment::varchar as environment,
        data_mode::varchar as data_mode,
        coalesce(endpoint_tag::varchar, '(unattributed)') as endpoint_tag,
        coalesce(prompt_version::varchar, '(unattributed)') as prompt_version,
        coalesce(feature_tag::varchar, '(unattributed)') as feature_tag,
        coalesce(tenant_id::varchar, '(unattributed)') as tenant_id,
        coalesce(user_id::varchar, '(unattributed)') as user_id,
        provider::varchar as provider,
        model::varchar as model,
        case when error_code is null then 'success' else 'error' end as status,
        error_code::varchar as error_code,
        null::integer as http_status,
        attempt::integer as try_number,
        attempt = 1 as is_first_try,
        attempt = last_attempt as is_last_try,
        false as is_future,
        false as is_approximate,
        input_tokens::bigint as input_tokens,
        output_tokens::bigint as output_tokens,
        (input_tokens + coalesce(output_tokens, 0))::bigint as total_tokens,
        cache_read_tokens::bigint as cache_read_tokens,
        reasoning_tokens::bigint as reasoning_tokens,
        latency::double as latency_ms,
        {quantities},
        {costs},
        0::decimal(38, 12) as other_cost_usd,
        case when is_priced then {cost} end as cost_usd,
        case when is_batch then 'processing=batch' end as price_variant,
        case when is_priced then 0::bigint end as price_tier_from_tokens,
        reported_cost_usd::decimal(38, 12) as reported_cost_usd,
        case when input_tokens is null then 'no_usage' when unpriced then 'unpriced' else 'priced' end as pricing_status,
        usage_source::varchar as usage_source
    from named;

    create table intermediate.attempt_days as
    select event_date, md5(sum(hash(fct_attempts))::varchar) as input_fingerprint
    from marts.fct_attempts
    group by event_date
    order by event_date;

    create table intermediate.int_source_silent_days (
        event_date date, source varchar, environment varchar, data_mode varchar, missing_calls double
    );

    -- nobody planned or muted anything
    create table intermediate.int_plans (
        plan_id varchar, kind varchar, problem_id varchar, environment varchar, data_mode varchar, endpoint_tag varchar,
        prompt_version varchar, tenant_id varchar, user_id varchar, model varchar, from_date date, until_date date, recorded_at timestamp
    );

    -- every day is complete
    create table intermediate.int_open_hours (
        event_date date, environment varchar, data_mode varchar, delay_hours integer, through_hour integer
    );
"""
# What an exposure estimate would say: the true cost per token, missed by a factor of its own for each model.
RATES = ", ".join(
    f"{'exposure_usd_per_token' if leaf.kind == 'tokens' else 0}::decimal(23, 18) as {leaf.name}_rate_usd"
    for leaf in LEAVES
)
EXPOSURE = f"""
    create table intermediate.int_exposure as
    select
        environment::varchar as environment, data_mode::varchar as data_mode,
        provider::varchar as provider, calls.model::varchar as model,
        sum(usd) / sum(input_tokens + coalesce(output_tokens, 0)) * any_value(error) as exposure_usd_per_token,
        1::decimal(38, 12) as exposure_usd, md5(exposure_usd_per_token::varchar) as likely_rates_fingerprint, {RATES}
    from calls
    inner join errors on calls.model = errors.model
    where unpriced and input_tokens is not null
    group by all
    order by all;
"""  # noqa: S608 (our own names)


def _exposure_errors(seed: int, names: dict) -> np.ndarray:
    return np.exp(stream(seed, "exposure").normal(0, EXPOSURE_ERROR, len(names["model"])))


# ---- the truth


def _truth(life: Life, plan: list[Planned], world: World, calls: pd.DataFrame, names: dict) -> dict:
    real = calls[(calls["environment"] == 0) & (calls["data_mode"] == 0)].reset_index(drop=True)
    dates = [str(life.first + timedelta(days=place)) for place in range(life.days)]
    named = real.assign(
        **{name: _coded(real[SHOWN[name]], names[name]).to_pandas() for name in drivers.DIMENSIONS},
        date=np.array(dates)[real["event_day"] - (life.first - EPOCH).days],
    )
    normal = (named["usd"] - named["extra_usd"]).groupby(named["date"]).sum()
    told = [(_incident(code, each, world, named, normal), each) for code, each in enumerate(plan) if not each.is_pilot]
    return {
        "world": {
            "seed": life.seed,
            "days": life.days,
            "requests_per_day": life.requests_per_day,
            "first": str(life.first),
            "last": dates[-1],
            "liveliness": round(life.liveliness, 3),
        },
        "incidents": [found for found, each in told if not each.is_planned],
        "planned": [found for found, each in told if each.is_planned],
        "negatives": _negatives(life, plan, world),
        "normal_cost_usd": {day: round(usd, 4) for day, usd in normal.items()},
    }


def _incident(code: int, planned: Planned, world: World, named: pd.DataFrame, normal: pd.Series) -> dict:
    incident, dates = planned.incident, [str(day) for day in planned.dates]
    rows = named[named["date"].isin(dates)]
    rows = rows.assign(extra_usd=np.where(rows["incident"] == code, rows["extra_usd"], 0.0))
    extra = rows["extra_usd"].groupby(rows["date"]).sum()
    who = _who(planned, world)
    of_tenant, of_model = incident.tenant is not None, incident.only_model is not None
    kind = planned.spike_type
    telling = drivers.TELLING.get(kind, {"tenant_id"} if kind == "volume" and of_tenant else set())
    primary = drivers.primary_dimensions(planned.kind, kind, of_tenant, of_model)
    best, others = drivers.right_drivers(rows, _scope(kind, who, telling), telling, primary)
    dimension, value = best.published
    hourly = rows["extra_usd"].groupby(rows["at"] // HOUR * HOUR).sum()
    return {
        "name": incident.name,
        "kind": planned.kind,
        "spike_type": kind,
        # one tenant's volume is both: which it is called depends on the tenant's share before
        "spike_types": ["volume", "concentration"] if kind == "volume" and of_tenant else [kind],
        "token_direction": planned.kind if planned.kind in ("input", "output") else None,
        "is_planned": planned.is_planned,
        "share": planned.share,
        "achieved_share": round(float(extra[dates[0]] / normal[dates[0]]), 4),
        "onset_date": dates[0],
        "end_date": dates[-1],
        "start": incident.start.isoformat(),
        "end": incident.end.isoformat(),
        "driver_dimension": dimension,
        "driver_value": value,
        "equivalents": [list(other.published) for other in others],
        "endpoint": who.get("endpoint_tag"),
        "prompt_version": who.get("prompt_version"),
        "tenant": who.get("tenant_id"),
        "user": who.get("user_id"),
        "model": who.get("model"),
        "extra_cost_usd": {day: round(float(extra[day]), 4) for day in dates},
        "extra_cost_usd_by_hour": {
            datetime.fromtimestamp(at / 1_000_000, UTC).strftime("%Y-%m-%dT%H"): round(float(usd), 4)
            for at, usd in hourly.items()
            if usd
        },
        "overlapping": planned.pair is not None,
        "strength": round(incident.strength, 4),
    }


def _who(planned: Planned, world: World) -> dict[str, str]:
    """What an incident concerns, by published dimension."""
    incident = planned.incident
    model = incident.only_model if incident.model is None else incident.model
    found = {
        "endpoint_tag": None if incident.endpoint == ANY else ENDPOINTS[incident.endpoint].name,
        "prompt_version": incident.version,
        "tenant_id": None if incident.tenant is None else world.tenants[incident.tenant],
        "user_id": None if incident.user is None else world.users[incident.user],
        "model": planned.model_name or (None if model is None else MODELS[model].name),
    }
    return {name: value for name, value in found.items() if value is not None}


def _scope(kind: str, who: dict[str, str], telling: set[str]) -> dict[str, str]:
    """The attempts that an incident is about (drivers.py)."""
    if kind == "deploy":
        return {"prompt_version": who["prompt_version"]}
    return who if kind == "price_mix" or not telling else {name: who[name] for name in telling}


def _negatives(life: Life, plan: list[Planned], world: World) -> list[dict]:
    """What may look like an incident and is none; `scope` by column of the fact, empty where everything is concerned."""
    last = life.first + timedelta(days=life.days - 1)
    all_days = [life.first + timedelta(days=place) for place in range(life.days)]
    cut_day, cut_model, _ = life.price_cut
    ramp, move = life.onboarding[0], life.migration
    moved = {"endpoint_tag": ENDPOINTS[move.endpoint].name, "model": move.to_name}
    replay = life.first + timedelta(days=int(stream(life.seed, "replay").integers(life.days)))
    found = [
        _negative("onboarding", ramp, ramp + timedelta(days=RAMP_DAYS), tenant_id=NEWCOMER),
        _negative("growth", life.growth_week, life.growth_week + timedelta(days=7)),
        _negative("migration", move.day, move.day + timedelta(days=2), **moved),
        _negative("price_cut", cut_day, cut_day + timedelta(days=2), model=MODELS[cut_model].name),
        _negative("replay", replay, replay),  # deliveries again: the fact counts none of them twice
        *(_negative("promotion", day, day) for day in [life.promotion] if day),
        *(_negative("month_start", day, day) for day in all_days if day.day == 1),
        *(_negative("weekend", day, day + timedelta(days=2)) for day in all_days if day.weekday() == 5),
        *(
            _negative(
                "burst", each.day, each.day, endpoint_tag=ENDPOINTS[each.endpoint].name,
                environment=ENVIRONMENTS[each.setting[0]], data_mode=DATA_MODES[each.setting[1]],
            )
            for each in life.bursts
        ),
        *_deploys(life, all_days),
        *(_negative("pilot", each.dates[0], each.dates[-1], model=each.model_name) for each in plan if each.is_pilot),
    ]  # fmt: skip
    return sorted((each for each in found if each["from"] <= str(last)), key=lambda each: (each["from"], each["kind"]))


def _deploys(life: Life, days: list[date]) -> list[dict]:
    """The ordinary deploys, each labelled for two days."""
    live = [(day, code, live_version(life.seed, code, day)) for day in days for code in range(len(ENDPOINTS))]
    return [
        _negative(
            "deploy", day, day + timedelta(days=1), endpoint_tag=ENDPOINTS[code].name, prompt_version=version.label
        )
        for day, code, version in live
        if version.day == day
    ]


def _negative(kind: str, first: date, last: date, **scope: str) -> dict:
    return {"kind": kind, "from": str(first), "to": str(last), "scope": scope}
